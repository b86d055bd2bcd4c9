/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_SLEEPER_H
#define PMCOORD_MODEL_SLEEPER_H

/*
 * The host's sleep: written to /sys/power or done by systemd (sleeper-host.h),
 * ended by an alarm (sleeper-alarm.h), or simulated (simulator.h).
 */

#include <stdint.h>

#include "pmcoord/error.h"
#include "model/loop.h"

struct lid;
struct sleeper;

struct sleeper_ops {
	void (*free)(struct sleeper *sleeper);
	/*
	 * Opens and checks all that enter() needs, before any guest is
	 * touched. Returns 0, or negative with `error` set: -EOPNOTSUPP where
	 * the host has no S3.
	 */
	int (*prepare)(struct sleeper *sleeper, struct error *error);
	/*
	 * Sleeps; all guests are down. Returns when the host is awake again,
	 * with how long it slept in µs; -ECANCELED or another negative errno,
	 * with `error` set, if it did not sleep, also because of the lid.
	 */
	int (*enter)(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
		     struct error *error);
	/* Puts back what prepare() has changed on the host. */
	void (*finish)(struct sleeper *sleeper);
};

struct sleeper {
	const struct sleeper_ops *ops;
	/*
	 * Set before prepare(), and borrowed: if it is opened before the host
	 * sleeps, then the host shall not. The loop watches it. NULL: none.
	 */
	struct lid *lid;
};

void sleeper_free(struct sleeper *sleeper);

#endif
