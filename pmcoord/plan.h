/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_PLAN_H
#define PMCOORD_PLAN_H

/*
 * What will be done with each guest, and after whom. Pure: no I/O, no clock;
 * ties are broken by UUID. The same plan is printed, executed, journalled,
 * reported and undone.
 */

#include "pmcoord/config.h"
#include "pmcoord/graph.h"
#include "pmcoord/inventory.h"

/* How a guest is brought down, best first. */
enum mechanism {
	MECHANISM_NONE, /* it is left alone */
	MECHANISM_AGENT,
	MECHANISM_EVENT_CHANNEL,
	MECHANISM_XENSTORE,
	MECHANISM_HVM,
	MECHANISM_PAUSE,
};

/* The reason of a step of which the caller wants nothing. */
#define PLAN_NOT_ASKED_FOR "not asked for"

struct step {
	size_t guest; /* index in the inventory, and node in the graph */
	enum mechanism mechanism;
	/* A word to the user where the mechanism is none or a last resort. */
	const char *reason;
	unsigned int depth; /* the longest chain of steps that come before */
	enum config_on_failure on_failure;
	uint64_t timeout_us;
};

struct plan {
	const struct inventory *inventory; /* borrowed */
	const struct graph *graph; /* borrowed */
	/*
	 * One per guest, in an order that is good for one at a time; execution
	 * follows the graph instead. Resuming goes from the last to the first.
	 */
	struct step *steps;
	size_t n_steps;
	size_t *step_of_guest; /* index of the step for each guest */
};

/*
 * Makes the plan to bring down the guests for which `selected` is true (NULL:
 * all). The plan borrows inventory and graph, which must outlive it. Returns 0
 * or -ENOMEM; release with plan_done.
 */
int plan_make(const struct inventory *inventory, const struct graph *graph,
	      const struct config *config, const bool *selected,
	      struct plan *ret_plan);
void plan_done(struct plan *plan);

/*
 * Adds to `selected` (one bool per guest) all who need a selected guest, so
 * that the law of order holds for the selection.
 */
void plan_select_dependents(const struct graph *graph, bool *selected);

/*
 * The mechanism for one guest, and why, as text or NULL. `ret_reason` is
 * static.
 */
enum mechanism plan_choose_mechanism(const struct guest *guest,
				     enum guest_policy policy,
				     const char **ret_reason);

/*
 * Collects in `ret` (room for all guests) the guests whose step must be
 * complete before that of `guest`: those that need it or, when resuming, that
 * it needs. A guest that is left alone passes the wait on to those behind it.
 * Returns how many.
 */
size_t plan_after(const struct plan *plan, size_t guest, bool resuming,
		  size_t *ret);

/* How long is the longest chain of steps before this guest's resume. */
unsigned int plan_resume_depth(const struct plan *plan, size_t guest);

const char *mechanism_name(enum mechanism mechanism);
/* Returns 0 or -EINVAL. */
int mechanism_parse(const char *name, enum mechanism *ret);

#endif
