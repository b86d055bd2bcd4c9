/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_PLAN_H
#define PMCOORD_MODEL_PLAN_H

/*
 * The plan: a mechanism and an order for each guest. Pure: no I/O, no clock;
 * ties are broken by UUID. The same plan is printed, executed, journalled,
 * reported and undone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/config.h"
#include "model/graph.h"
#include "model/inventory.h"

/* How a guest is suspended, best first. */
enum mechanism {
	MECHANISM_NONE, /* skipped */
	MECHANISM_AGENT,
	MECHANISM_EVENT_CHANNEL,
	MECHANISM_XENSTORE,
	MECHANISM_HVM,
	MECHANISM_PAUSE,
};

/* The reason of a step for a guest that the caller did not select. */
#define PLAN_NOT_NAMED "not named"

struct step {
	size_t guest; /* index in the inventory, and node in the graph */
	enum mechanism mechanism;
	/* Why the mechanism is none or a last resort; else NULL. Static. */
	const char *reason;
	unsigned int depth; /* the longest chain of steps before this one */
	enum config_on_failure on_failure;
	uint64_t timeout_us;
};

struct plan {
	struct inventory inventory;
	struct graph *graph;
	/*
	 * One per guest, in an order that respects all dependencies. The
	 * executor follows the graph instead, to suspend independent guests at
	 * the same time. Guests are resumed from the last to the first.
	 */
	struct step *steps;
	size_t n_steps;
	size_t *step_of_guest; /* per guest: the index of its step */
};

/*
 * Makes the plan to suspend the guests for which `selected` is true (one bool
 * per guest of the inventory; NULL: all) and, if `with_dependents`, the guests
 * that need them. Takes over the contents of the inventory, also on failure,
 * and leaves it empty. Returns 0 or -ENOMEM; release: plan_done.
 */
int plan_make(struct inventory *inventory, const struct config *config, const bool *selected,
	      bool with_dependents, struct plan *ret_plan);
/* Releases the plan with its inventory and graph. Takes NULL. */
void plan_done(struct plan *plan);

/*
 * Adds to `selected` (one bool per guest) the guests that need a selected one,
 * directly or through others. Returns 0 or -ENOMEM.
 */
int plan_select_dependents(const struct graph *graph, bool *selected);

/* The mechanism for one guest; *ret_reason as in struct step. */
enum mechanism plan_choose_mechanism(const struct guest *guest, enum guest_policy policy,
				     const char **ret_reason);

/*
 * Finds the guests whose steps must be complete before that of a given guest.
 * The memory is kept for the next search, so that a search costs only what it
 * visits. Borrows the plan.
 */
struct plan_walk {
	const struct plan *plan;
	/* The result of the last plan_after; never NULL. */
	size_t *found;
	size_t n_found;
	size_t *stack;
	size_t *visited_in; /* per guest: the last search that visited it, from 1 */
	size_t n_searches;
};

/* Returns 0 or -ENOMEM; release: plan_walk_done, which takes NULL. */
int plan_walk_init(struct plan_walk *walk, const struct plan *plan);
void plan_walk_done(struct plan_walk *walk);

/*
 * Finds the guests that come before `guest`: those that need it or, when
 * resuming, those that it needs. In place of a skipped guest, finds those that
 * come before that one.
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
