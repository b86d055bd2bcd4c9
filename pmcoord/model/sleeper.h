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
	 * Opens and checks everything that enter() needs, before any guest is
	 * touched. Returns 0, or negative with `error` set: -EOPNOTSUPP where
	 * the host has no S3.
	 */
	int (*prepare)(struct sleeper *sleeper, struct error *error);
	/*
	 * Lets the host sleep, with all guests suspended. Returns 0 after the
	 * wake, with the µs that it slept; or a negative errno, with `error`
	 * set, if it did not sleep, also because the lid was opened.
	 */
	int (*enter)(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
		     struct error *error);
	/* Undoes what prepare() has changed on the host. */
	void (*finish)(struct sleeper *sleeper);
};

struct sleeper {
	const struct sleeper_ops *ops;
	/*
	 * Set before prepare(); borrowed. If it is opened before the host
	 * sleeps, enter() is cancelled. The loop watches it. NULL: none.
	 */
	struct lid *lid;
};

/* Takes NULL. */
void sleeper_free(struct sleeper *sleeper);

#endif
