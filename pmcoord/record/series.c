/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/series.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/json.h"
#include "record/report.h"

void series_done(struct series *series)
{
	for (size_t i = 0; i < series->n_guests; i++) {
		struct series_guest *guest = &series->guests[i];

		samples_done(&guest->down);
		samples_done(&guest->resumed);
		samples_done(&guest->back);
		samples_done(&guest->ready);
	}
	samples_done(&series->all_down);
	samples_done(&series->all_back);
	free(series->guests);
	*series = (struct series){ 0 };
}

static struct series_guest *find_or_add(struct series *series, const char *name,
					const char *mechanism)
{
	struct series_guest *guests = series->guests;
	size_t n = series->n_guests;

	for (size_t i = 0; i < n; i++)
		if (strcmp(guests[i].name, name) == 0 &&
		    strcmp(guests[i].mechanism, mechanism) == 0)
			return &guests[i];
	guests = reallocarray(guests, n + 1, sizeof(*guests));
	if (!guests)
		return NULL;
	series->guests = guests;
	series->n_guests++;
	guests[n] = (struct series_guest){ 0 };
	snprintf(guests[n].name, sizeof(guests[n].name), "%s", name);
	snprintf(guests[n].mechanism, sizeof(guests[n].mechanism), "%s", mechanism);
	return &guests[n];
}

static enum cycle_outcome outcome_of(struct json_object *guest)
{
	const char *name = json_read_string(guest, "outcome");

	for (int i = OUTCOME_PENDING; i <= OUTCOME_FAILED; i++)
		if (strcmp(name, cycle_outcome_name((enum cycle_outcome)i)) == 0)
			return (enum cycle_outcome)i;
	return OUTCOME_FAILED;
}

static int add_times(struct series_guest *known, struct json_object *report,
		     struct json_object *guest)
{
	int64_t begin = report_resume_start(report, guest);
	int64_t running = report_time(guest, "running_us");
	int r = samples_add(&known->down, report_span(report_time(guest, "requested_us"),
						      report_time(guest, "down_us")));

	if (r == 0)
		r = samples_add(&known->resumed,
				report_span(report_time(guest, "resume_us"), running));
	if (r == 0)
		r = samples_add(&known->back, report_span(begin, running));
	if (r == 0)
		r = samples_add(&known->ready, report_span(begin, report_time(guest, "ready_us")));
	return r;
}

static bool is_acting(struct json_object *guest)
{
	return strcmp(json_read_string(guest, "mechanism"), mechanism_name(MECHANISM_NONE)) != 0;
}

static int add_guest(struct series *series, struct json_object *report, struct json_object *guest)
{
	enum cycle_outcome outcome = outcome_of(guest);
	struct series_guest *known = find_or_add(series, json_read_string(guest, "name"),
						 json_read_string(guest, "mechanism"));

	if (!known)
		return -ENOMEM;
	known->outcomes[outcome]++;
	return outcome == OUTCOME_SUSPENDED ? add_times(known, report, guest) : 0;
}

int64_t series_suspend_time(struct json_object *report)
{
	int64_t first = CYCLE_NEVER, last = CYCLE_NEVER;
	struct json_object *guest;

	for (size_t i = 0; (guest = report_guest(report, i)); i++) {
		int64_t requested = report_time(guest, "requested_us");
		int64_t down = report_time(guest, "down_us");

		if (!is_acting(guest))
			continue;
		if (outcome_of(guest) != OUTCOME_SUSPENDED)
			return CYCLE_NEVER;
		if (first == CYCLE_NEVER || requested < first)
			first = requested;
		if (down > last)
			last = down;
	}
	return report_span(first, last);
}

int64_t series_resume_time(struct json_object *report)
{
	int64_t longest = CYCLE_NEVER;
	struct json_object *guest;

	for (size_t i = 0; (guest = report_guest(report, i)); i++) {
		int64_t span = report_span(report_resume_start(report, guest),
					   report_time(guest, "running_us"));

		if (!is_acting(guest))
			continue;
		if (span == CYCLE_NEVER)
			return CYCLE_NEVER;
		if (span > longest)
			longest = span;
	}
	return longest;
}

int series_add(struct series *series, struct json_object *report, const char *name)
{
	struct json_object *guest;
	int r = samples_add(&series->all_down, series_suspend_time(report));

	if (r == 0)
		r = samples_add(&series->all_back, series_resume_time(report));
	for (size_t i = 0; r == 0 && (guest = report_guest(report, i)); i++)
		if (is_acting(guest) &&
		    (!name || strcmp(json_read_string(guest, "name"), name) == 0))
			r = add_guest(series, report, guest);
	series->n_cycles++;
	series->results[report_result(report)]++;
	return r;
}
