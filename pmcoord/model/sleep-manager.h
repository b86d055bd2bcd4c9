/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_SLEEP_MANAGER_H
#define PMCOORD_MODEL_SLEEP_MANAGER_H

/*
 * The service manager's part in a sleep: whether it is about to put the host to
 * sleep, how, and when that is over. Implemented by systemd
 * (sleep-manager-systemd.h), and by a fake in tests.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/loop.h"

/*
 * The shortest sleep. The slept time is the difference of two clocks, which are
 * read one after the other: on a busy host that alone makes milliseconds.
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
	/* Our sleep unit has not started yet, and the sleep waits for it. */
	bool waits_for_us;
};

struct sleep_manager;

struct sleep_manager_ops {
	void (*free)(struct sleep_manager *manager);
	/* Returns 0, or a negative errno if the service manager cannot be reached. */
	int (*get_state)(struct sleep_manager *manager, struct sleep_job *ret_job);
	/* How long the host has slept since boot, in µs. */
	uint64_t (*slept_us)(struct sleep_manager *manager);
	/*
	 * Waits while the host is about to sleep, or sleeps: until it has slept
	 * longer than `slept_before_us`, or no sleep is under way that does not
	 * wait for us. Signals do not end it. Returns 0 or a negative errno; 0
	 * at once if the service manager cannot be reached.
	 */
	int (*await_end)(struct sleep_manager *manager, struct loop *loop,
			 uint64_t slept_before_us);
};

struct sleep_manager {
	const struct sleep_manager_ops *ops;
};

/* Takes NULL. */
void sleep_manager_free(struct sleep_manager *manager);

#endif
