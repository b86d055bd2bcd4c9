/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_PLAN_H
#define PMCOORD_MODEL_PLAN_H

/*
 * The plan: the order of the guests, and a mechanism for each. Pure: no I/O, no
 * clock; ties in the order are broken by UUID. The same plan is printed, executed,
 * journalled, reported and undone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/config.h"
#include "model/graph.h"
#include "model/inventory.h"

/*
 * How a guest is suspended, if at all. After MECHANISM_NONE, the mechanisms are in
 * order from the best to the worst.
 */
enum mechanism {
	MECHANISM_NONE, /* the guest is skipped */
	MECHANISM_AGENT,
	MECHANISM_EVENT_CHANNEL,
	MECHANISM_XENSTORE,
	MECHANISM_HVM,
	MECHANISM_PAUSE,
};

/* The value of step.reason for a guest that the caller did not select. */
#define PLAN_NOT_NAMED "not named"
/* The value of step.reason for a guest that another program has requested to suspend. */
#define PLAN_BEING_SAVED "being saved or migrated"
/* The value of step.reason for a guest with Policy=ignore. */
#define PLAN_IGNORED "ignored by policy"

struct step {
	size_t guest; /* index in the inventory, and node in the graph */
	enum mechanism mechanism;
	/* Why the guest is skipped, or why no better mechanism is used; NULL: no reason. */
	const char *reason; /* a string constant */
	/*
	 * The guest is shutting down. It is waited for, for as long as its timeout lasts, and
	 * is paused if it still runs then.
	 */
	bool is_leaving;
	/* Skipped because others have paused or suspended the guest. It may run again. */
	bool is_stopped;
	unsigned int depth; /* length of the longest chain of steps before this step */
	/*
	 * As depth, but skipped steps count. A skipped guest may run again in the middle of
	 * the cycle, and is then suspended.
	 */
	unsigned int rank;
	enum config_on_failure on_failure;
	uint64_t timeout_us;
};

struct plan {
	struct inventory inventory;
	struct graph *graph;
	/*
	 * One step per guest, in an order that respects all dependencies. The
	 * suspend (engine/executor.c) follows the graph instead, so that
	 * independent guests are suspended at the same time. The resume goes from
	 * the last step to the first.
	 */
	struct step *steps;
	size_t n_steps;
	size_t *step_of_guest; /* per guest: the index of its step */
};

/*
 * Makes the plan to suspend the selected guests. `selected` has one bool per guest
 * of the inventory; NULL: all. If `with_dependents` is true, the guests that need a
 * selected one are suspended, too. Moves the contents of the inventory to the plan;
 * the inventory is empty afterwards, even on failure. Returns 0 or -ENOMEM.
 * Release: plan_done.
 */
int plan_make(struct inventory *inventory, const struct config *config, const bool *selected,
	      bool with_dependents, struct plan *ret_plan);

/*
 * Adds steps for guests that have appeared since the plan was made. `inventory` is a new one of
 * all guests, whose contents are moved to the plan; it is empty afterwards, even on failure. The
 * steps that the plan has keep their places, and their guests stay in its inventory even if they
 * are gone. The graph becomes that of all guests. A newcomer is suspended if `selects_all` is
 * true, if it is a selected guest in another domain or, if `with_dependents` is true, if it needs
 * a selected guest; a guest that was not selected and needs such a newcomer is suspended then,
 * too. Returns 0 or -ENOMEM; the plan is unchanged on failure.
 */
int plan_extend(struct plan *plan, struct inventory *inventory, const struct config *config,
		bool selects_all, bool with_dependents);

/* Frees the contents of `plan`, with its inventory and graph. `plan` may be NULL. */
void plan_done(struct plan *plan);

/*
 * Adds to `selected` (one bool per guest) the guests that need a selected one,
 * directly or through others. Returns 0 or -ENOMEM.
 */
int plan_select_dependents(const struct graph *graph, bool *selected);

/* Returns the mechanism for one guest, and sets *ret_reason to the reason as in struct step. */
enum mechanism plan_choose_mechanism(const struct guest *guest, enum guest_policy policy,
				     const char **ret_reason);

/*
 * Searches for the guests whose steps must be complete before the step of a given
 * guest. The memory is kept between searches, so that a search takes time only for
 * the guests that it visits.
 */
struct plan_walk {
	const struct plan *plan; /* borrowed */
	/* The result of the last plan_find_before; never NULL. */
	size_t *found;
	size_t n_found;
	size_t *stack;
	size_t *visited_in; /* per guest: number of the last search that visited it; 0: none */
	size_t n_searches;
};

/* Prepares searches in `plan`. Returns 0 or -ENOMEM. Release: plan_walk_done. */
int plan_walk_init(struct plan_walk *walk, const struct plan *plan);

/* Frees the memory of the searches. `walk` may be NULL. */
void plan_walk_done(struct plan_walk *walk);

/*
 * Finds the guests whose steps come directly before the step of `guest`: the guests
 * that need `guest` or, when resuming, the guests that `guest` needs. A skipped guest
 * is replaced by the guests that come before the skipped guest.
 */
void plan_find_before(struct plan_walk *walk, size_t guest, bool resuming);

/*
 * Sets each element of `ret` (one per guest) to the length of the longest chain of
 * resumes that must come before the guest's resume. Returns 0 or -ENOMEM.
 */
int plan_resume_depths(const struct plan *plan, unsigned int *ret);

const char *mechanism_name(enum mechanism mechanism);
/* Returns 0 or -EINVAL. */
int mechanism_parse(const char *name, enum mechanism *ret);

#endif
