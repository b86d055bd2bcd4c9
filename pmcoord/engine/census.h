/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_CENSUS_H
#define PMCOORD_ENGINE_CENSUS_H

/*
 * Compares the guests of a cycle with the domains that exist, so that the report names guests
 * that have appeared, ended, or run while the host sleeps. Guests with Policy=ignore are not
 * compared. The context's journal must be that of the cycle.
 *
 * Functions return 0 or a negative errno, e.g. if the journal could not be written.
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/hypervisor.h"
#include "model/plan.h"
#include "engine/context.h"

/* The domains that exist, in ascending order of their domids. All zero: none. */
struct census {
	struct listed_domain *domains;
	size_t n;
};

/* Lists the domains. Release: census_done. */
int census_take(const struct coordinator *context, struct census *ret);
void census_done(struct census *census);

/* Whether a domain exists that is no guest of the cycle. */
bool census_has_newcomer(const struct census *census, const struct coordinator *context);

/* Records the guests whose domains have ended, and how. */
int census_record_ends(const struct census *census, const struct coordinator *context);

/* Records the guests that run. Called right before the host sleeps. */
int census_record_running(const struct census *census, const struct coordinator *context);

/* The guests to which a cycle was limited, see plan_extend. */
struct census_scope {
	bool selects_all;
	bool with_dependents;
};

/*
 * Adds guests that have appeared since the plan was made to the plan and to the journal, see
 * plan_extend, and records them. Reads the inventory if there is one. Returns 1 if a guest was
 * added, or 0.
 */
int census_add_newcomers(const struct census *census, const struct coordinator *context,
			 const struct census_scope *scope, struct plan *plan);

/*
 * Records guests that have appeared since the host went to sleep, or right before. They were
 * not suspended.
 */
int census_record_newcomers(const struct census *census, const struct coordinator *context);

#endif
