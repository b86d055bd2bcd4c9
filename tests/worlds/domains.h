/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_DOMAINS_H
#define TESTS_WORLDS_DOMAINS_H

/*
 * The domains of a world as the laws see them: who needs whom, and in which state each
 * is after each happening. Made from the world's text and the machine's log alone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/worlds/history.h"
#include "tests/worlds/world.h"

enum suspended_by {
	SUSPENDED_BY_NONE,
	SUSPENDED_BY_US, /* by a request of pmcoord */
	SUSPENDED_BY_OTHERS, /* a save, a migration, or before the world began */
};

/* What pmcoord.conf says about a guest; "a bad Policy= counts as pause". */
enum policy {
	POLICY_SUSPENDS,
	POLICY_PAUSES,
	POLICY_IGNORES,
};

struct domain {
	bool exists; /* false before it appears, and when it is gone */
	bool ended; /* shut down or dying, not yet gone */
	bool in_acpi_s3;
	bool is_leaving; /* shutting down or rebooting */
	bool is_saved; /* being saved or migrated */
	bool is_forced; /* its user has resumed it with --force while it was saved */
	bool being_built; /* being built: its toolstack has not unpaused it yet */
	enum suspended_by suspended;
	unsigned int our_pauses, user_pauses;
	bool request_stands; /* requested, not acknowledged and not retracted */
	size_t touched_in; /* the step of its last request or pause by pmcoord */
	bool is_late; /* has suspended after it was given up */
	uint64_t suspended_us; /* when it has suspended the last time */
	bool may_suspend; /* has acknowledged a request, and not suspended since */
	/* Since the current step began: */
	bool was_requested, was_suspended, was_paused, was_resumed, was_quiesced, was_restored;
	bool was_saved; /* was being saved or migrated, also if that has ended */
	bool was_being_built; /* was being built when the host went to sleep, or when pmcoord paused
				 it */
	bool slept_unheld; /* was being built when the host went to sleep, without a pause of
			      pmcoord */
	bool has_come; /* has appeared, or was rebooted */
	bool has_died, has_appeared; /* after the first request or pause, or the sleep */
	uint64_t appeared_us; /* when it has appeared */
	bool ran_through; /* ran while the host slept */
	bool pause_failed, resume_failed, retract_failed;
	/* Kept suspended on purpose by an earlier command of the user. */
	bool is_kept;
	bool is_kept_perhaps; /* that command was killed, so pmcoord may rightly resume it */
};

struct domains {
	const struct world *world;
	struct domain domains[WORLD_GUESTS_MAX];
	/* needs[a][b]: a is a frontend of b; links of a dependency loop are left out. */
	bool needs[WORLD_GUESTS_MAX][WORLD_GUESTS_MAX];
	/* As `needs`, with the links of loops. */
	bool linked[WORLD_GUESTS_MAX][WORLD_GUESTS_MAX];
	enum policy policies[WORLD_GUESTS_MAX];
	bool slept, sleep_refused; /* in the current step */
	bool was_undone; /* a guest was resumed before the host slept */
	size_t step; /* index of the current step */
	uint64_t first_touch_us; /* of the first request or pause of the step; 0: none */
	/*
	 * The first request or pause since guests were resumed in this step: that of another
	 * cycle. 0: none yet.
	 */
	uint64_t cycle_touch_us;
	uint64_t sleep_us; /* when the host went to sleep in this step */
};

/* Makes the domains as they are when the world begins. */
void domains_init(struct domains *domains, const struct world *world);
/* Begins a step: forgets what concerns the former one. */
void domains_begin_step(struct domains *domains, size_t step);
/* Applies a happening. */
void domains_apply(struct domains *domains, const struct happening *happening);

/* Whether the domain's processors run. */
bool domain_runs(const struct domain *domain);
/* Whether the domain does not run because of pmcoord. */
bool domain_is_held(const struct domain *domain);

/* Returns the value of a key of the world's pmcoord.conf, or "". `guest` -1: [Coordinator]. */
const char *world_config_get(const struct world *world, int guest, const char *key);
/* Whether a line of pmcoord.conf has no valid meaning. */
bool world_config_line_is_bad(const char *line);
/* Whether any rule or the whole configuration has this value, e.g. "OnFailure", "abort". */
bool world_config_has(const struct world *world, const char *key, const char *value);

#endif
