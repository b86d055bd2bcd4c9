/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_SUSPEND_H
#define PMCOORD_ENGINE_SUSPEND_H

/* Runs a whole cycle: inventory → graph → plan → suspend → sleep → resume → report. */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "model/plan.h"
#include "model/sleeper.h"
#include "record/report.h"
#include "engine/context.h"

struct cycle_params {
	const char *trigger; /* what caused the cycle, as one word for the report */
	/*
	 * Lets the host sleep. NULL: the host stays awake. The guests are then
	 * resumed at once if `resumes_at_once` is set; otherwise they are kept
	 * suspended until coordinator_resume.
	 */
	struct sleeper *sleeper;
	/* Names or domids of the guests to suspend; none: all guests. */
	char **names;
	size_t n_names;
	bool force; /* only the named guests are suspended, not those that need them */
	bool resumes_at_once; /* without a sleeper: the guests are resumed at once */
	bool is_measurement; /* the report is saved only if the cycle went wrong */
};

/*
 * Runs a cycle, after recovering cycles whose coordinator died. The caller
 * holds the lock, see lock.h.
 *
 * Returns 0 if a cycle was run, even if the cycle failed. The caller owns its
 * report, *ret_report. Returns 0 with *ret_report NULL if there is no sleeper and
 * nothing to suspend. Returns a negative errno with `error` set if no cycle was
 * begun, e.g. because the journal could not be written: -ENOENT for a guest that does
 * not exist, -EOPNOTSUPP if the host has no S3. If the host was to sleep, *ret_report is
 * then the report of the refused sleep, or NULL if it could not be made.
 */
int coordinator_suspend(struct coordinator *coordinator, const struct cycle_params *params,
			struct report **ret_report, struct error *error);

/*
 * Makes and saves the report of a sleep that the caller has refused for the reason in
 * `error`. Returns NULL if it could not be made. The caller owns the report.
 */
struct report *coordinator_report_refusal(struct coordinator *coordinator,
					  const struct cycle_params *params,
					  const struct error *error);

/*
 * Reads the inventory and makes the plan for `params` (NULL: for all guests).
 * Returns 0, or a negative errno with `error` set: -ENOENT for a guest that
 * does not exist. Release: plan_done.
 */
int coordinator_plan(struct coordinator *coordinator, const struct cycle_params *params,
		     struct plan *ret_plan, struct error *error);

#endif
