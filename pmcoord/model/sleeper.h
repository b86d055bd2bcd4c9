/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_SLEEPER_H
#define PMCOORD_MODEL_SLEEPER_H

/*
 * Puts the host to sleep: by a write to /sys/power or through systemd
 * (sleeper-host.h). An alarm that wakes the host can be added (sleeper-alarm.h).
 * Simulations use a simulated sleep (simulator.h).
 */

#include <stdint.h>

#include "pmcoord/error.h"
#include "model/loop.h"

/* S3 in the kernel's words, see struct sleeper.state. */
#define SLEEP_STATE_S3 "deep"

struct lid;
struct sleeper;

struct sleeper_ops {
	void (*free)(struct sleeper *sleeper);
	/*
	 * Opens and checks everything that enter() needs, before any guest is
	 * touched. Returns 0, or a negative errno with `error` set: -EOPNOTSUPP if
	 * the host has no S3.
	 */
	int (*prepare)(struct sleeper *sleeper, struct error *error);
	/*
	 * Lets the host sleep; all guests must be suspended. Returns 0 after the
	 * wake, with *ret_slept_us set to the length of the sleep. Returns a
	 * negative errno with `error` set if the host did not sleep, e.g. because
	 * the lid was opened. Also sets `state` in struct sleeper.
	 */
	int (*enter)(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
		     struct error *error);
	/*
	 * Undoes what prepare() and enter() have changed on the host, except the
	 * choice of S3 in /sys/power/mem_sleep.
	 */
	void (*finish)(struct sleeper *sleeper);
};

struct sleeper {
	const struct sleeper_ops *ops;
	/*
	 * The lid, borrowed; NULL: none. Must be set before prepare(), and the
	 * loop must watch the lid's descriptor (loop_watch_fd). If the lid is
	 * opened before the host sleeps, enter() fails.
	 */
	struct lid *lid;
	/*
	 * The directory on /run for a note of what prepare() changes, so that the next
	 * process can undo it if this one dies; borrowed. NULL: none.
	 */
	const char *run;
	/*
	 * After enter() has returned 0: the state in which the host has slept, in the kernel's
	 * words of mem_sleep. "deep" is S3. "": that could not be found out.
	 */
	char state[16];
};

/* `sleeper` may be NULL. */
void sleeper_free(struct sleeper *sleeper);

#endif
