/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_PLAN_H
#define PMCOORD_MODEL_PLAN_H

/*
 * What will be done with each guest, and after whom. Pure: no I/O, no clock;
 * ties are broken by UUID. The same plan is printed, executed, journalled,
 * reported and undone.
 */

#include "model/config.h"
#include "model/graph.h"
#include "model/inventory.h"

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
	struct inventory inventory;
	struct graph *graph;
	/*
	 * One per guest, in an order that is good for one at a time; execution
	 * follows the graph instead. Resuming goes from the last to the first.
	 */
	struct step *steps;
	size_t n_steps;
	size_t *step_of_guest; /* index of the step for each guest */
};

/*
 * Makes the plan to suspend the guests for which `selected` is true (one bool
 * per guest of the inventory; NULL: all), and with them, if `with_dependents`,
 * those that need them. The inventory belongs to the plan from now on, also on
 * failure, and is left empty. Returns 0 or -ENOMEM; release: plan_done.
 */
int plan_make(struct inventory *inventory, const struct config *config, const bool *selected,
	      bool with_dependents, struct plan *ret_plan);
/* Releases what the plan was made from as well. */
void plan_done(struct plan *plan);

/*
 * Adds to `selected` (one bool per guest) all who need a selected guest, so
 * that the law of order holds for the selection. Returns 0 or -ENOMEM.
 */
int plan_select_dependents(const struct graph *graph, bool *selected);

/*
 * The mechanism for one guest, and why, as text or NULL. `ret_reason` is
 * static.
 */
enum mechanism plan_choose_mechanism(const struct guest *guest, enum guest_policy policy,
				     const char **ret_reason);

/*
 * Looks up, for one guest after the other, the guests whose steps must be
 * complete before its own. It keeps its room between the look-ups, so that each
 * costs no more than what it finds. Borrows the plan.
 */
struct plan_walk {
	const struct plan *plan;
	/* What the last plan_after has found; never NULL. */
	size_t *found;
	size_t n_found;
	size_t *stack;
	size_t *seen_at; /* per guest: the last look-up that came by, from 1 */
	size_t n_lookups;
};

/* Returns 0 or -ENOMEM; release with plan_walk_done. */
int plan_walk_init(struct plan_walk *walk, const struct plan *plan);
void plan_walk_done(struct plan_walk *walk);

/*
 * Finds those who go before `guest`: those that need it or, when resuming, that
 * it needs. A guest that is left alone passes the wait on to those behind it.
 */
void plan_after(struct plan_walk *walk, size_t guest, bool resuming);

/*
 * Fills `ret` (one per guest) with the length of the longest chain of steps
 * before each guest's resume. Returns 0 or -ENOMEM.
 */
int plan_resume_depths(const struct plan *plan, unsigned int *ret);

const char *mechanism_name(enum mechanism mechanism);
/* Returns 0 or -EINVAL. */
int mechanism_parse(const char *name, enum mechanism *ret);

#endif
