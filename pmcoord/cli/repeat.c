/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/repeat.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/exit-code.h"
#include "base/moment.h"
#include "model/cycle.h"
#include "host/loop-event.h"
#include "record/report.h"
#include "engine/host-env.h"
#include "engine/job.h"

/*
 * Returns how bad a result is, from 0 (as planned) to 4 (a guest is stranded).
 * A cycle that could not be started ranks between a cycle that was rolled back
 * and a stranded guest.
 */
static int rank(enum job_result result)
{
	switch (result) {
	case JOB_RESULT_DONE:
		return 0;
	case JOB_RESULT_DEGRADED:
		return 1;
	case JOB_RESULT_ROLLED_BACK:
		return 2;
	case JOB_RESULT_INVALID:
	case JOB_RESULT_UNSUPPORTED:
	case JOB_RESULT_BUSY:
		return 3;
	case JOB_RESULT_STRANDED:
		break;
	}
	return 4;
}

static void note_result(struct repeat *repeat, enum job_result result)
{
	if (rank(result) > rank(repeat->worst))
		repeat->worst = result;
}

static void end(struct repeat *repeat, enum job_result result)
{
	repeat->is_over = true;
	note_result(repeat, result);
}

/*
 * Whether a signal has interrupted the series. A loop with a virtual clock is
 * not queried: such a loop does not block signals, so a signal ends the process.
 */
static bool was_interrupted(const struct cli *cli)
{
	const struct host_env *env = cli->env;

	return cli->was_interrupted ||
	       (env->loop && !env->has_virtual_clock && loop_stop_requested(env->loop));
}

static void print_span(const char *what, int64_t span_us)
{
	char text[SPAN_TEXT_SIZE];

	if (span_us != CYCLE_NEVER)
		printf(", %s in %s", what, span_format(span_us, text));
}

/* Prints a line with the cycle's number, result and durations. */
static void print_cycle(const struct repeat *repeat, const struct report *report)
{
	printf("%zu of %zu: cycle %" PRIu64 " %s", repeat->series.n_cycles, repeat->n_wanted,
	       report->cycle, cycle_result_name(report->result));
	print_span("suspended", series_suspend_us(report));
	print_span("resumed", series_resume_us(report));
	printf("%s%s\n", report->detail[0] ? ": " : "", report->detail);
	fflush(stdout);
}

static void take_outcome(struct repeat *repeat, const struct job_outcome *outcome, const char *name)
{
	const struct options *options = &repeat->cli->options;

	if (outcome->message[0])
		fprintf(stderr, "pmcoord: %s\n", outcome->message);
	if (!outcome->report) {
		repeat->found_no_guest = !outcome->message[0];
		end(repeat, outcome->result);
		return;
	}
	note_result(repeat, outcome->result);
	if (series_add(&repeat->series, outcome->report, name) < 0) {
		fprintf(stderr, "pmcoord: out of memory\n");
		end(repeat, JOB_RESULT_ROLLED_BACK);
	}
	if (!options->quiet && !options->json &&
	    (!name || options->verbose || outcome->report->result != RESULT_OK))
		print_cycle(repeat, outcome->report);
	if (outcome->result == JOB_RESULT_STRANDED)
		end(repeat, outcome->result);
}

void repeat_run(struct repeat *repeat, const struct job *job, struct sleeper *sleeper,
		const char *name)
{
	struct job_outcome outcome;

	assert(job_kind(job->verb)->in_series);
	assert(!repeat->is_over);
	if (cli_run_job(repeat->cli, job, sleeper, &outcome))
		take_outcome(repeat, &outcome, name);
	else
		end(repeat, outcome.result);
	job_outcome_done(&outcome);
	if (!repeat->is_over && was_interrupted(repeat->cli)) {
		fprintf(stderr, "pmcoord: interrupted after %zu of %zu cycles\n",
			repeat->series.n_cycles, repeat->n_wanted);
		end(repeat, JOB_RESULT_ROLLED_BACK);
	}
}

enum exit_code repeat_exit_code(const struct repeat *repeat, int r)
{
	if (r == 0)
		return cli_exit_code(repeat->worst);
	fprintf(stderr, "pmcoord: cannot print the statistics: %s\n", strerror(-r));
	return EXIT_ROLLED_BACK;
}

void repeat_done(struct repeat *repeat)
{
	series_done(&repeat->series);
}
