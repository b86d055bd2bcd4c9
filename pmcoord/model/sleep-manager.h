/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_SLEEP_MANAGER_H
#define PMCOORD_MODEL_SLEEP_MANAGER_H

/*
 * Asks the service manager about a sleep: whether the service manager is about to
 * put the host to sleep, which kind of sleep this is, and when the sleep is over.
 * Implemented with systemd (sleep-manager-systemd.h), and by a fake in tests.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/loop.h"

/*
 * The host has slept if the slept time has grown by at least this many µs. A smaller
 * growth proves nothing: the slept time is CLOCK_BOOTTIME minus CLOCK_MONOTONIC, and on
 * a busy host some milliseconds can pass between the two reads.
 */
#define SLEEP_MIN_US 100000

enum sleep_kind {
	SLEEP_KIND_NONE, /* no sleep is queued or running */
	SLEEP_KIND_SUSPEND,
	SLEEP_KIND_HIBERNATE,
	SLEEP_KIND_HYBRID_SLEEP,
	SLEEP_KIND_SUSPEND_THEN_HIBERNATE,
};

struct sleep_job {
	enum sleep_kind kind;
	/* pmcoord's sleep unit is still starting, and the sleep waits for the unit. */
	bool waits_for_us;
};

struct sleep_manager;

struct sleep_manager_ops {
	void (*free)(struct sleep_manager *manager);
	/*
	 * Reads the queued or running sleep. Returns 0, or a negative errno if the
	 * service manager cannot be reached.
	 */
	int (*get_state)(struct sleep_manager *manager, struct sleep_job *ret_job);
	/* Returns how long the host has slept since boot, in µs. */
	uint64_t (*slept_us)(struct sleep_manager *manager);
	/*
	 * Waits until the host has slept, i.e. until slept_us() exceeds
	 * `slept_before_us` by at least SLEEP_MIN_US. The wait also ends when no
	 * sleep is queued or running. A sleep that still waits for pmcoord
	 * (waits_for_us) does not count as queued. Signals do not end the wait.
	 * Returns 0 or a negative errno. If the service manager cannot be reached,
	 * returns 0 without a wait.
	 */
	int (*await_end)(struct sleep_manager *manager, struct loop *loop,
			 uint64_t slept_before_us);
};

struct sleep_manager {
	const struct sleep_manager_ops *ops;
};

/* `manager` may be NULL. */
void sleep_manager_free(struct sleep_manager *manager);

#endif
