/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_COORDINATOR_H
#define PMCOORD_COORDINATOR_H

/*
 * A whole cycle: inventory → graph → plan → execute → sleep → restore →
 * report, and what is left of cycles whose coordinator is gone.
 */

#include <json-c/json.h>

#include "pmcoord/config.h"
#include "pmcoord/hypervisor.h"
#include "pmcoord/journal.h"
#include "pmcoord/lid.h"
#include "pmcoord/loop.h"
#include "pmcoord/roots.h"
#include "pmcoord/sleep-manager.h"
#include "pmcoord/sleeper.h"

/* What a cycle works with; all borrowed but the lid. */
struct coordinator {
	const struct config *config;
	const struct roots *roots;
	struct hypervisor *hypervisor;
	struct loop *loop;
	/* NULL: nobody puts the host to sleep behind our back. */
	struct sleep_manager *sleep_manager;
	/*
	 * For cycles with a sleeper; NULL: there is none. It is opened, and
	 * kept over failed sleeps, by job_run, and freed by our owner.
	 */
	struct lid *lid;
	/* Told of each record; may be NULL. */
	journal_observer_fn observer;
	void *observer_data;
};

struct cycle_wish {
	const char *trigger; /* one word for the report */
	/* NULL: leave the guests down, to be resumed by coordinator_resume. */
	struct sleeper *sleeper;
	/* Guest names or domids; none: all guests. */
	char **names;
	size_t n_names;
	bool force; /* the named ones only, not those that need them */
	bool comes_back; /* without a sleeper: not held, but back at once */
	bool is_measurement; /* its report is kept only if it went wrong */
};

/*
 * Runs a cycle. The caller holds the lock. Guests of a cycle whose coordinator
 * died are brought back first.
 *
 * Returns 0 when a cycle was run, with its report in *ret_report (the caller's
 * reference): also a cycle that failed. Where all guests are down already,
 * *ret_report is NULL. Returns a negative errno with `error` set when none was
 * begun: -ENOENT for a guest that does not exist, -EOPNOTSUPP without S3.
 */
int coordinator_suspend(struct coordinator *coordinator,
			const struct cycle_wish *wish,
			struct json_object **ret_report, struct error *error);

/* What a resume has come to. */
struct resume_result {
	size_t n_resumed;
	bool degraded; /* devices of some guest did not come back */
	char stranded[GUEST_NAME_MAX]; /* a guest that could not be resumed */
	struct json_object *report; /* of the last cycle that ended, or NULL */
};

/*
 * Brings back the named guests and what they need (or, with force, them only);
 * without names all that pmcoord holds, from however many cycles, whatever
 * became of their coordinators. The caller holds the lock. Idempotent. Returns
 * 0, or a negative errno with `error` set: -ENOENT for a guest that does not
 * exist.
 */
int coordinator_resume(struct coordinator *coordinator, char **names,
		       size_t n_names, bool force,
		       struct resume_result *ret_result, struct error *error);

/*
 * Brings back the guests of cycles whose coordinator died; guests that are held
 * on purpose stay down. Where the service manager is about to put the host to
 * sleep, or does, they stay down until that is over. The caller holds the lock.
 * Idempotent. Returns 0 or a negative errno with `error` set.
 */
int coordinator_recover(struct coordinator *coordinator, struct error *error);

/*
 * Reads the inventory and makes graph and plan for a wish (NULL: for all
 * guests). The caller releases them with plan_done, graph_free, inventory_done,
 * in this order. Returns 0 or negative as coordinator_suspend does.
 */
int coordinator_plan(struct coordinator *coordinator,
		     const struct cycle_wish *wish,
		     struct inventory *ret_inventory, struct graph **ret_graph,
		     struct plan *ret_plan, struct error *error);

#endif
