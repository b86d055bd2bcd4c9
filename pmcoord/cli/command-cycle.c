/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* cycle: suspends and resumes all guests several times, and prints statistics. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/exit-code.h"
#include "pmcoord/json.h"
#include "base/table.h"
#include "model/cycle.h"
#include "model/plan.h"
#include "model/sleeper.h"
#include "record/series.h"
#include "record/statistics-json.h"
#include "record/statistics.h"
#include "engine/host-env.h"
#include "engine/job.h"
#include "cli/cli.h"
#include "cli/repeat.h"

/* Number of cycles without -n. */
#define DEFAULT_COUNT 10

/* Writes how often a guest had each outcome, e.g. "9 suspended, 1 paused", to `ret`. */
static void format_outcomes(const struct series_guest *guest, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ELEMENTSOF(guest->outcomes); i++)
		if (guest->outcomes[i] && used < size)
			used += (size_t)snprintf(ret + used, size - used, "%s%zu %s",
						 used ? ", " : "", guest->outcomes[i],
						 cycle_outcome_name((enum cycle_outcome)i));
}

/* ---- text --------------------------------------------------------------- */

static const struct table_column columns[] = {
	{ "GUEST", false, false },	 { "MECHANISM", false, true },
	{ "DOWN: AVG", true, false },	 { "MIN", true, false },
	{ "MEDIAN", true, false },	 { "MAX", true, false },
	{ "RUNNING: AVG", true, false }, { "MIN", true, false },
	{ "MEDIAN", true, false },	 { "MAX", true, false },
	{ "READY: MEDIAN", true, true }, { "MAX", true, true },
	{ "OUTCOME", false, true },	 { NULL, false, false },
};

static int add_line(struct table *table, const char *name, const char *mechanism,
		    struct samples *down, struct samples *running, struct samples *ready,
		    const char *outcomes)
{
	struct summary_cells d = samples_cells(down);
	struct summary_cells r = samples_cells(running);
	struct summary_cells y = samples_cells(ready);
	const char *cells[] = { name,  mechanism, d.avg, d.min,	   d.median, d.max,   r.avg,
				r.min, r.median,  r.max, y.median, y.max,    outcomes };

	return table_add_line(table, cells);
}

static int print_table(struct series *series)
{
	_cleanup_(table_freep) struct table *table = NULL;
	struct samples none = { 0 };
	char outcomes[128];
	int r = table_new(columns, stdout, &table);

	for (size_t i = 0; r == 0 && i < series->n_guests; i++) {
		struct series_guest *guest = &series->guests[i];

		format_outcomes(guest, outcomes, sizeof(outcomes));
		r = add_line(table, guest->name, mechanism_name(guest->mechanism), &guest->suspend,
			     &guest->running, &guest->ready, outcomes);
	}
	if (r == 0)
		r = add_line(table, "(all)", NULL, &series->suspend_all, &series->resume_all, &none,
			     NULL);
	return r < 0 ? r : table_print(table);
}

static void print_results(const struct series *series)
{
	printf("\n%zu cycle%s:", series->n_cycles, series->n_cycles == 1 ? "" : "s");
	for (int i = RESULT_OK; i <= RESULT_FAILED; i++)
		if (series->results[i])
			printf(" %zu %s", series->results[i],
			       cycle_result_name((enum cycle_result)i));
	printf(". Times in ms.\n"
	       "DOWN: from the request to a guest until the guest is suspended.\n"
	       "RUNNING, READY: from the start of the resume until the guest runs or is ready.\n\n");
}

/* ---- JSON --------------------------------------------------------------- */

static void add_guest_json(struct json_object *guests, struct series_guest *guest, int *status)
{
	struct json_object *object = json_add_object(guests, NULL, status);
	struct json_object *outcomes;

	json_add_string(object, "name", guest->name, status);
	json_add_string(object, "mechanism", mechanism_name(guest->mechanism), status);
	outcomes = json_add_object(object, "outcomes", status);
	for (size_t i = 0; i < ELEMENTSOF(guest->outcomes); i++)
		if (guest->outcomes[i])
			json_add_integer(outcomes, cycle_outcome_name((enum cycle_outcome)i),
					 (int64_t)guest->outcomes[i], status);
	samples_add_json(&guest->suspend, object, "suspend_us", status);
	samples_add_json(&guest->running, object, "resume_us", status);
	samples_add_json(&guest->ready, object, "ready_us", status);
}

static int print_json(const struct repeat *repeat, struct series *series)
{
	struct json_object *object = json_object_new_object();
	struct json_object *results, *guests;
	int r = object ? 0 : -ENOMEM;

	json_add_integer(object, "wanted", (int64_t)repeat->n_wanted, &r);
	json_add_integer(object, "cycles", (int64_t)series->n_cycles, &r);
	results = json_add_object(object, "results", &r);
	for (int i = RESULT_OK; i <= RESULT_FAILED; i++)
		json_add_integer(results, cycle_result_name((enum cycle_result)i),
				 (int64_t)series->results[i], &r);
	samples_add_json(&series->suspend_all, object, "suspend_us", &r);
	samples_add_json(&series->resume_all, object, "resume_us", &r);
	guests = json_add_array(object, "guests", &r);
	for (size_t i = 0; i < series->n_guests; i++)
		add_guest_json(guests, &series->guests[i], &r);
	if (r == 0)
		r = json_print(object, stdout);
	json_object_put(object);
	return r;
}

/* ---- the command -------------------------------------------------------- */

static enum exit_code show(struct repeat *repeat)
{
	const struct options *options = &repeat->cli->options;
	struct series *series = &repeat->series;
	int r = 0;

	if (options->json) {
		r = print_json(repeat, series);
	} else if (repeat->found_no_guest && !options->quiet) {
		printf("No running guest can be suspended; nothing to do.\n");
	} else if (series->n_cycles > 0 && !options->quiet) {
		print_results(series);
		r = print_table(series);
	}
	return repeat_exit_code(repeat, r);
}

enum exit_code command_cycle(struct cli *cli)
{
	struct repeat repeat = {
		.cli = cli,
		.n_wanted = cli->options.count ? cli->options.count : DEFAULT_COUNT,
	};
	struct job job = {
		.verb = JOB_CYCLE,
		.with_sleep = cli->options.with_sleep,
	};
	struct sleeper *sleeper = NULL;
	enum exit_code code = cli_open(cli);

	if (code != EXIT_AS_PLANNED)
		return code;
	if (job.with_sleep && host_env_new_sleeper(cli->env, SLEEPER_ALARM, -EBADF, &sleeper) < 0)
		return EXIT_ROLLED_BACK;
	for (size_t i = 0; i < repeat.n_wanted && !repeat.is_over; i++)
		repeat_run(&repeat, &job, sleeper, NULL);
	code = show(&repeat);
	repeat_done(&repeat);
	sleeper_free(sleeper);
	return code;
}
