/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/series.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/moment.h"
#include "model/plan.h"

void series_done(struct series *series)
{
	if (!series)
		return;
	for (size_t i = 0; i < series->n_guests; i++) {
		struct series_guest *guest = &series->guests[i];

		samples_done(&guest->suspend);
		samples_done(&guest->resume);
		samples_done(&guest->running);
		samples_done(&guest->ready);
	}
	samples_done(&series->suspend_all);
	samples_done(&series->resume_all);
	free(series->guests);
	*series = (struct series){ 0 };
}

static struct series_guest *find_or_add(struct series *series, const char *name,
					enum mechanism mechanism)
{
	struct series_guest *guests = series->guests;
	size_t n = series->n_guests;

	for (size_t i = 0; i < n; i++)
		if (strcmp(guests[i].name, name) == 0 && guests[i].mechanism == mechanism)
			return &guests[i];
	guests = reallocarray(guests, n + 1, sizeof(*guests));
	if (!guests)
		return NULL;
	series->guests = guests;
	series->n_guests++;
	guests[n] = (struct series_guest){ .mechanism = mechanism };
	snprintf(guests[n].name, sizeof(guests[n].name), "%s", name);
	return &guests[n];
}

static int add_times(struct series_guest *known, const struct report *report,
		     const struct report_guest *guest)
{
	int64_t start_us = report_resume_start_us(report, guest);
	int r = samples_add(&known->suspend, report_guest_suspend_us(guest));

	if (r == 0)
		r = samples_add(&known->resume, span_between(guest->resume_us, guest->running_us));
	if (r == 0)
		r = samples_add(&known->running, span_between(start_us, guest->running_us));
	if (r == 0)
		r = samples_add(&known->ready, span_between(start_us, guest->ready_us));
	return r;
}

static int add_guest(struct series *series, const struct report *report,
		     const struct report_guest *guest)
{
	struct series_guest *known = find_or_add(series, guest->name, guest->mechanism);

	if (!known)
		return -ENOMEM;
	known->outcomes[guest->outcome]++;
	return guest->outcome == OUTCOME_SUSPENDED ? add_times(known, report, guest) : 0;
}

int64_t series_suspend_us(const struct report *report)
{
	int64_t first_us = MOMENT_NEVER, last_us = MOMENT_NEVER;

	assert(report);
	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];

		if (guest->mechanism == MECHANISM_NONE)
			continue;
		if (guest->outcome != OUTCOME_SUSPENDED)
			return MOMENT_NEVER;
		if (first_us == MOMENT_NEVER || guest->requested_us < first_us)
			first_us = guest->requested_us;
		if (guest->down_us > last_us)
			last_us = guest->down_us;
	}
	return span_between(first_us, last_us);
}

int64_t series_resume_us(const struct report *report)
{
	int64_t longest_us = MOMENT_NEVER;

	assert(report);
	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];
		int64_t span_us =
			span_between(report_resume_start_us(report, guest), guest->running_us);

		if (guest->mechanism == MECHANISM_NONE)
			continue;
		if (span_us == MOMENT_NEVER)
			return MOMENT_NEVER;
		if (span_us > longest_us)
			longest_us = span_us;
	}
	return longest_us;
}

int series_add(struct series *series, const struct report *report, const char *name)
{
	int r;

	assert(series);
	assert(report);
	r = samples_add(&series->suspend_all, series_suspend_us(report));
	if (r == 0)
		r = samples_add(&series->resume_all, series_resume_us(report));
	for (size_t i = 0; r == 0 && i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];

		if (guest->mechanism != MECHANISM_NONE && (!name || strcmp(guest->name, name) == 0))
			r = add_guest(series, report, guest);
	}
	series->n_cycles++;
	series->results[report->result]++;
	return r;
}
