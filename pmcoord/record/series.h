/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_SERIES_H
#define PMCOORD_RECORD_SERIES_H

/*
 * Statistics over the reports of several cycles: the times in which each guest,
 * and all guests together, suspended and resumed. Pure: no I/O.
 */

#include <stddef.h>
#include <stdint.h>

#include "model/cycle.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/report.h"
#include "record/statistics.h"

/* A guest by one mechanism; a guest that used two has two of these. */
struct series_guest {
	char name[GUEST_NAME_MAX];
	enum mechanism mechanism;
	size_t outcomes[OUTCOME_FAILED + 1];
	struct samples suspend; /* its request → suspended */
	struct samples resume; /* its resume hypercall */
	struct samples running; /* the wake, or the start of the resume → running */
	struct samples ready; /* likewise → its devices are ready */
};

/* Begins as zeros. */
struct series {
	struct series_guest *guests; /* in the order in which they were suspended */
	size_t n_guests;
	size_t n_cycles;
	size_t results[RESULT_FAILED + 1];
	struct samples suspend_all; /* first request → last guest suspended */
	struct samples resume_all; /* start of the resume → last guest running */
};

void series_done(struct series *series);

/*
 * The time in which all guests of a cycle suspended (first request to last
 * guest), and in which all resumed (start of the resume to last guest), in µs.
 * MOMENT_NEVER unless every guest of the plan was suspended, and was resumed.
 */
int64_t series_suspend_us(const struct report *report);
int64_t series_resume_us(const struct report *report);

/*
 * Adds a report: of guest `name`, NULL: of all guests of its plan. Times count
 * only of guests that were suspended; those of all together only if all were.
 * Returns 0 or -ENOMEM.
 */
int series_add(struct series *series, const struct report *report, const char *name);

#endif
