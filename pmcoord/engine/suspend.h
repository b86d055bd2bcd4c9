/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_SUSPEND_H
#define PMCOORD_ENGINE_SUSPEND_H

/*
 * Runs a whole cycle: inventory → graph → plan → suspend → sleep → resume →
 * report.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "model/plan.h"
#include "model/sleeper.h"
#include "record/report.h"
#include "engine/context.h"

struct cycle_params {
	const char *trigger; /* one word for the report */
	/* NULL: the guests are kept suspended, until coordinator_resume. */
	struct sleeper *sleeper;
	/* Guest names or domids; none: all guests. */
	char **names;
	size_t n_names;
	bool force; /* the named guests only, not those that need them */
	bool resumes_at_once; /* without a sleeper: resumed, not kept suspended */
	bool is_measurement; /* its report is kept only if it went wrong */
};

/*
 * Runs a cycle. The caller holds the lock. A cycle whose coordinator died is
 * recovered first.
 *
 * Returns 0 when a cycle was run, with its report in *ret_report (the caller's
 * reference): also when the cycle failed. *ret_report is NULL if there
 * was nothing to suspend. Returns a negative errno with `error` set when no cycle was
 * begun: -ENOENT for a guest that does not exist, -EOPNOTSUPP without S3.
 */
int coordinator_suspend(struct coordinator *coordinator, const struct cycle_params *params,
			struct report **ret_report, struct error *error);

/*
 * Reads the inventory and makes the plan for `params` (NULL: for all guests).
 * Returns 0 or negative as coordinator_suspend does; release: plan_done.
 */
int coordinator_plan(struct coordinator *coordinator, const struct cycle_params *params,
		     struct plan *ret_plan, struct error *error);

#endif
