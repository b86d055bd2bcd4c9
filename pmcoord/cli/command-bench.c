/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench: suspends and resumes one guest at a time, and prints how long each
 * mechanism takes on this host.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "pmcoord/json.h"
#include "base/table.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/series.h"
#include "record/statistics-json.h"
#include "record/statistics.h"
#include "engine/job.h"
#include "engine/suspend.h"
#include "cli/cli.h"
#include "cli/repeat.h"

/* Number of rounds without -n. */
#define DEFAULT_COUNT 10

/* ---- guests to measure --------------------------------------------------- */

struct names {
	char (*names)[GUEST_NAME_MAX];
	size_t n_names;
};

/*
 * Sets *ret_is_measured to whether the guest of step `i` is measured. Skips a
 * guest that cannot be suspended. Also skips a guest whose measurement would
 * pause any guest, because a guest's clock is late after a pause. Returns 0 or
 * -ENOMEM.
 */
static int is_measured(const struct plan *plan, size_t i, bool *ret_is_measured)
{
	const struct step *step = &plan->steps[i];
	_cleanup_(freep) bool *selected = calloc(plan->n_steps, sizeof(*selected));

	if (!selected)
		return -ENOMEM;
	selected[step->guest] = true;
	if (plan_select_dependents(plan->graph, selected) < 0)
		return -ENOMEM;
	*ret_is_measured = step->mechanism != MECHANISM_NONE;
	for (size_t j = 0; j < plan->n_steps; j++)
		if (selected[plan->steps[j].guest] && plan->steps[j].mechanism == MECHANISM_PAUSE)
			*ret_is_measured = false;
	return 0;
}

static int copy_names(const struct plan *plan, struct names *ret)
{
	int r = 0;

	ret->names = calloc(plan->n_steps + 1, sizeof(*ret->names));
	if (!ret->names)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_steps && r == 0; i++) {
		size_t guest = plan->steps[i].guest;
		bool measured = false;

		r = is_measured(plan, i, &measured);
		if (measured)
			snprintf(ret->names[ret->n_names++], GUEST_NAME_MAX, "%s",
				 plan->inventory.guests[guest].name);
	}
	return r;
}

/* Finds the names of the guests to measure, in the order in which they are suspended. */
static int find_guests(struct cli *cli, struct names *ret, struct error *error)
{
	struct plan plan;
	int r = coordinator_plan(&cli->coordinator, NULL, &plan, error);

	if (r < 0)
		return r;
	r = copy_names(&plan, ret);
	plan_done(&plan);
	return r < 0 ? error_set(error, r, "out of memory") : 0;
}

/* ---- by mechanism -------------------------------------------------------- */

struct mechanism_times {
	const char *name;
	size_t n_guests;
	struct samples down, resumed;
};

static void mechanism_times_done(struct mechanism_times *times)
{
	samples_done(&times->down);
	samples_done(&times->resumed);
}

/* Merges the times of all guests of a mechanism. Returns 0 or -ENOMEM. */
static int gather(const struct series *series, enum mechanism mechanism,
		  struct mechanism_times *ret)
{
	int r = 0;

	*ret = (struct mechanism_times){ .name = mechanism_name(mechanism) };
	for (size_t i = 0; i < series->n_guests && r == 0; i++) {
		const struct series_guest *guest = &series->guests[i];

		if (guest->mechanism != mechanism)
			continue;
		ret->n_guests++;
		r = samples_merge(&ret->down, &guest->suspend);
		if (r == 0)
			r = samples_merge(&ret->resumed, &guest->resume);
	}
	return r;
}

typedef int (*print_times_fn)(struct mechanism_times *times, void *data);

/* Calls `print` for each mechanism that was measured, beginning with the best one. */
static int for_each_mechanism(const struct series *series, print_times_fn print, void *data)
{
	static const enum mechanism mechanisms[] = {
		MECHANISM_AGENT, MECHANISM_EVENT_CHANNEL, MECHANISM_XENSTORE,
		MECHANISM_HVM,	 MECHANISM_PAUSE,
	};
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(mechanisms) && r == 0; i++) {
		struct mechanism_times times;

		r = gather(series, mechanisms[i], &times);
		if (r == 0 && times.n_guests > 0)
			r = print(&times, data);
		mechanism_times_done(&times);
	}
	return r;
}

/* ---- text ---------------------------------------------------------------- */

static const struct table_column columns[] = {
	{ "MECHANISM", false, false }, { "GUESTS", true, false },	{ "SAMPLES", true, false },
	{ "DOWN: AVG", true, false },  { "MIN", true, false },		{ "MEDIAN", true, false },
	{ "MAX", true, false },	       { "RUNNING: AVG", true, false }, { "MIN", true, false },
	{ "MEDIAN", true, false },     { "MAX", true, false },		{ NULL, false, false },
};

static int add_line(struct mechanism_times *times, void *data)
{
	struct summary_cells d = samples_cells(&times->down);
	struct summary_cells r = samples_cells(&times->resumed);
	char guests[24], samples[24];
	const char *cells[] = { times->name, guests, samples, d.avg,	d.min, d.median,
				d.max,	     r.avg,  r.min,   r.median, r.max };

	snprintf(guests, sizeof(guests), "%zu", times->n_guests);
	snprintf(samples, sizeof(samples), "%zu", times->down.n_values);
	return table_add_line(data, cells);
}

static int print_table(const struct repeat *repeat)
{
	_cleanup_(table_freep) struct table *table = NULL;
	int r = table_new(columns, stdout, &table);

	printf("Times in ms. DOWN: from the request to a guest until the guest is suspended.\n"
	       "RUNNING: from the resume of a guest until the guest runs.\n\n");
	if (r == 0)
		r = for_each_mechanism(&repeat->series, add_line, table);
	return r < 0 ? r : table_print(table);
}

/* ---- JSON ---------------------------------------------------------------- */

struct json_place {
	struct json_object *array;
	int *status;
};

static int add_json(struct mechanism_times *times, void *data)
{
	struct json_place *place = data;
	struct json_object *object = json_add_object(place->array, NULL, place->status);

	json_add_string(object, "mechanism", times->name, place->status);
	json_add_integer(object, "guests", (int64_t)times->n_guests, place->status);
	json_add_integer(object, "samples", (int64_t)times->down.n_values, place->status);
	samples_add_json(&times->down, object, "down_us", place->status);
	samples_add_json(&times->resumed, object, "running_us", place->status);
	return *place->status;
}

static void add_guest_json(struct json_object *guests, struct series_guest *guest, int *status)
{
	struct json_object *object = json_add_object(guests, NULL, status);

	json_add_string(object, "name", guest->name, status);
	json_add_string(object, "mechanism", mechanism_name(guest->mechanism), status);
	json_add_integer(object, "samples", (int64_t)guest->suspend.n_values, status);
	samples_add_json(&guest->suspend, object, "down_us", status);
	samples_add_json(&guest->resume, object, "running_us", status);
}

static int print_json(struct repeat *repeat)
{
	struct series *series = &repeat->series;
	struct json_object *object = json_object_new_object(), *guests;
	int r = object ? 0 : -ENOMEM;
	struct json_place place = { .status = &r };

	json_add_integer(object, "cycles", (int64_t)series->n_cycles, &r);
	place.array = json_add_array(object, "mechanisms", &r);
	if (r == 0)
		r = for_each_mechanism(series, add_json, &place);
	guests = json_add_array(object, "guests", &r);
	for (size_t i = 0; i < series->n_guests; i++)
		add_guest_json(guests, &series->guests[i], &r);
	if (r == 0)
		r = json_print(object, stdout);
	json_object_put(object);
	return r;
}

/* ---- the command --------------------------------------------------------- */

static enum exit_code show(struct repeat *repeat)
{
	const struct options *options = &repeat->cli->options;
	int r = 0;

	if (options->json)
		r = print_json(repeat);
	else if (repeat->n_wanted == 0 && !options->quiet)
		printf("No running guest can be suspended: nothing to measure.\n");
	else if (repeat->series.n_guests > 0 && !options->quiet)
		r = print_table(repeat);
	return repeat_exit_code(repeat, r);
}

/*
 * Measures every guest once per round, so that a temporary load on the host is
 * spread over several guests. Guests that need the measured guest are suspended
 * first, but their times are not counted.
 */
static void measure(struct repeat *repeat, const struct names *names, size_t n_rounds)
{
	repeat->n_wanted = n_rounds * names->n_names;
	for (size_t i = 0; i < repeat->n_wanted && !repeat->is_over; i++) {
		char *name = names->names[i % names->n_names];
		struct job job = {
			.verb = JOB_BENCH,
			.names = &name,
			.n_names = 1,
		};

		repeat_run(repeat, &job, NULL, name);
	}
}

enum exit_code command_bench(struct cli *cli)
{
	struct repeat repeat = { .cli = cli };
	struct names names = { 0 };
	struct error error = { 0 };
	enum exit_code code = cli_open(cli);
	int r;

	if (code != EXIT_AS_PLANNED)
		return code;
	r = find_guests(cli, &names, &error);
	if (r < 0)
		return cli_fail(&error);
	measure(&repeat, &names, cli->options.count ? cli->options.count : DEFAULT_COUNT);
	code = show(&repeat);
	repeat_done(&repeat);
	free(names.names);
	return code;
}
