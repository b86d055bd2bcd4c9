/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/repeat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* How bad each exit code is; what could not even begin is worse than failed. */
static int rank(enum exit_code code)
{
	switch (code) {
	case EXIT_AS_PLANNED:
		return 0;
	case EXIT_DEGRADED:
		return 1;
	case EXIT_FAILED_UNDONE:
		return 2;
	case EXIT_USAGE:
	case EXIT_NOT_HERE:
	case EXIT_BUSY:
		return 3;
	case EXIT_STRANDED:
		break;
	}
	return 4;
}

static void note_code(struct rehearsal *rehearsal, enum exit_code code)
{
	if (rank(code) > rank(rehearsal->worst))
		rehearsal->worst = code;
}

static void end(struct rehearsal *rehearsal, enum exit_code code)
{
	rehearsal->is_over = true;
	note_code(rehearsal, code);
}

/* A rehearsal on the simulator is simply killed. */
static bool was_interrupted(const struct cli *cli)
{
	return cli->was_interrupted ||
	       (cli->loop && !cli->options.scenario && loop_was_told_to_stop(cli->loop));
}

static void print_span(const char *what, int64_t span_us)
{
	char text[REPORT_SPAN_TEXT_SIZE];

	if (span_us != CYCLE_NEVER)
		printf(", %s in %s", what, report_format_span(span_us, text));
}

/* One line: which cycle it was, how it went, how long it took. */
static void print_cycle(const struct rehearsal *rehearsal, struct json_object *report)
{
	const char *detail = json_read_string(report, "detail");

	printf("%zu of %zu: cycle %" PRId64 " %s", rehearsal->series.n_cycles, rehearsal->n_wanted,
	       json_read_integer(report, "cycle", 0), json_read_string(report, "result"));
	print_span("down", series_time_down(report));
	print_span("back", series_time_back(report));
	printf("%s%s\n", detail[0] ? ": " : "", detail);
	fflush(stdout);
}

static void take_outcome(struct rehearsal *rehearsal, const struct job_outcome *outcome,
			 const char *name)
{
	const struct options *options = &rehearsal->cli->options;

	if (outcome->message[0])
		fprintf(stderr, "pmcoord: %s\n", outcome->message);
	if (!outcome->report) {
		rehearsal->found_nobody = !outcome->message[0];
		end(rehearsal, outcome->code);
		return;
	}
	note_code(rehearsal, outcome->code);
	if (series_add(&rehearsal->series, outcome->report, name) < 0) {
		fprintf(stderr, "pmcoord: out of memory\n");
		end(rehearsal, EXIT_FAILED_UNDONE);
	}
	if (!options->quiet && !options->json &&
	    (!name || options->verbose || report_result(outcome->report) != RESULT_OK))
		print_cycle(rehearsal, outcome->report);
	if (outcome->code == EXIT_STRANDED)
		end(rehearsal, outcome->code);
}

void rehearsal_run(struct rehearsal *rehearsal, const struct job *job, struct sleeper *sleeper,
		   const char *name)
{
	struct job_outcome outcome;

	if (cli_run_job(rehearsal->cli, job, sleeper, &outcome))
		take_outcome(rehearsal, &outcome, name);
	else
		end(rehearsal, outcome.code);
	job_outcome_done(&outcome);
	if (!rehearsal->is_over && was_interrupted(rehearsal->cli)) {
		fprintf(stderr, "pmcoord: interrupted after %zu of %zu cycles\n",
			rehearsal->series.n_cycles, rehearsal->n_wanted);
		end(rehearsal, EXIT_FAILED_UNDONE);
	}
}

enum exit_code rehearsal_exit_code(const struct rehearsal *rehearsal, int r)
{
	if (r == 0)
		return rehearsal->worst;
	fprintf(stderr, "pmcoord: cannot print the statistics: %s\n", strerror(-r));
	return EXIT_FAILED_UNDONE;
}

void rehearsal_done(struct rehearsal *rehearsal)
{
	series_done(&rehearsal->series);
}
