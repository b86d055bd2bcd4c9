/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_SERIES_H
#define PMCOORD_RECORD_SERIES_H

/*
 * Statistics of several cycles: how long the suspend and the resume took, for
 * each guest and for all guests together. Pure: no I/O.
 */

#include <stddef.h>
#include <stdint.h>

#include "model/cycle.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/report.h"
#include "record/statistics.h"

/*
 * The figures of one guest with one mechanism. A guest that used two mechanisms
 * has two entries.
 */
struct series_guest {
	char name[GUEST_NAME_MAX];
	enum mechanism mechanism;
	size_t outcomes[OUTCOME_FAILED + 1]; /* number of cycles, by enum cycle_outcome */
	struct samples suspend; /* from its RECORD_REQUEST to its RECORD_SUSPENDED */
	struct samples resume; /* from its RECORD_RESUME to the end of its resume hypercall */
	struct samples running; /* from the start of the phase "resume" until it runs */
	struct samples ready; /* from the start of the phase "resume" to its RECORD_READY */
};

/*
 * The figures of several cycles. The caller zeroes the struct before the first
 * use. Release: series_done.
 */
struct series {
	struct series_guest *guests; /* in suspend order */
	size_t n_guests;
	size_t n_cycles;
	size_t results[RESULT_FAILED + 1]; /* number of cycles, by enum cycle_result */
	struct samples suspend_all; /* from the first request to the last suspension */
	struct samples resume_all; /* from the start of the resume until the last guest runs */
};

void series_done(struct series *series);

/*
 * Returns the time from the first request to the last suspension, in µs.
 * Returns MOMENT_NEVER if a guest was not suspended. Guests that the plan skips
 * do not count.
 */
int64_t series_suspend_us(const struct report *report);

/*
 * Returns the time from the start of the resume until the last guest runs, in
 * µs. Returns MOMENT_NEVER if a guest was not resumed. Guests that the plan
 * skips do not count.
 */
int64_t series_resume_us(const struct report *report);

/*
 * Adds the figures of a report: of guest `name`, or of all guests if `name` is
 * NULL. Guests that the plan skips are not added. A guest's times are added only
 * if the guest was suspended. Also adds series_suspend_us() and
 * series_resume_us(). Returns 0 or -ENOMEM.
 */
int series_add(struct series *series, const struct report *report, const char *name);

#endif
