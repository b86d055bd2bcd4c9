/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_SERIES_H
#define PMCOORD_RECORD_SERIES_H

/*
 * Statistics of the reports of several cycles: the times in which each guest,
 * and all guests together, suspended and resumed. Pure: no I/O.
 */

#include <stddef.h>
#include <stdint.h>

#include "model/cycle.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/report.h"
#include "record/statistics.h"

/*
 * The figures of one guest with one mechanism; a guest that used two mechanisms
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
	struct series_guest *guests; /* in the order in which they were suspended */
	size_t n_guests;
	size_t n_cycles;
	size_t results[RESULT_FAILED + 1]; /* number of cycles, by enum cycle_result */
	struct samples suspend_all; /* from the first request to the last suspension */
	struct samples resume_all; /* from the start of the resume until the last guest runs */
};

void series_done(struct series *series);

/*
 * Returns the time from the first request to the last suspension, in µs.
 * MOMENT_NEVER if a guest of the plan was not suspended.
 */
int64_t series_suspend_us(const struct report *report);

/*
 * Returns the time from the start of the resume until the last guest runs, in
 * µs. MOMENT_NEVER if a guest of the plan was not resumed.
 */
int64_t series_resume_us(const struct report *report);

/*
 * Adds a report: the figures of guest `name`, or of all guests of the plan if
 * `name` is NULL. A guest's times are added only if the guest was suspended.
 * `suspend_all` gets a time only if all guests of the plan were suspended, and
 * `resume_all` only if all were resumed. Returns 0 or -ENOMEM.
 */
int series_add(struct series *series, const struct report *report, const char *name);

#endif
