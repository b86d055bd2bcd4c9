/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_SERIES_H
#define PMCOORD_RECORD_SERIES_H

/*
 * A series of cycles, gathered from their reports: what each guest, and all of
 * them together, took to go down and to come back. Pure: no I/O.
 */

#include <json-c/json.h>

#include "model/cycle.h"
#include "record/statistics.h"

/* A guest by one mechanism; one that fell back to another has two of these. */
struct series_guest {
	char name[GUEST_NAME_MAX];
	char mechanism[16];
	size_t outcomes[OUTCOME_FAILED + 1];
	struct samples down; /* request → down */
	struct samples resumed; /* its resume hypercall */
	struct samples back; /* the resume's begin, or the wake → running */
	struct samples ready; /* likewise → its devices are back */
};

struct series {
	struct series_guest *guests; /* in the order in which they went down */
	size_t n_guests;
	size_t n_cycles;
	size_t results[RESULT_FAILED + 1];
	struct samples all_down; /* first request → last down */
	struct samples all_back; /* the resume's begin → last running */
};

void series_done(struct series *series);

/*
 * What all guests of a cycle took: from the first request to the last that was
 * down, and from the resume's begin to the last that ran. CYCLE_NEVER unless
 * all that were asked were suspended, and came back.
 */
int64_t series_suspend_time(struct json_object *report);
int64_t series_resume_time(struct json_object *report);

/*
 * Adds what a cycle's report says of guest `name`, or with NULL of all that
 * it did something to. Times count only of guests that were suspended, and of
 * all together only when all of them were. Returns 0 or -ENOMEM.
 */
int series_add(struct series *series, struct json_object *report, const char *name);

#endif
