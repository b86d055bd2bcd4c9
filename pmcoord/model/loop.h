/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_LOOP_H
#define PMCOORD_MODEL_LOOP_H

/*
 * Time and waiting: by sd-event (loop-event.h), or on a virtual clock that
 * jumps to the next event (simulator.h).
 */

#include <stdint.h>

/* Wait for events without a deadline. */
#define LOOP_FOREVER UINT64_MAX

struct loop;

struct loop_ops {
	void (*free)(struct loop *loop);
	/* µs of CLOCK_BOOTTIME, or of the virtual clock. */
	uint64_t (*now)(struct loop *loop);
	/*
	 * Waits for an event of the hypervisor, a signal, or `deadline_us` of
	 * now(). Returns 0 or a negative errno.
	 */
	int (*wait)(struct loop *loop, uint64_t deadline_us);
	/* See loop_watch_fd; may be NULL. */
	int (*watch_fd)(struct loop *loop, int fd);
};

struct loop {
	const struct loop_ops *ops;
	int signal; /* see loop_interrupt */
};

/* Takes NULL. */
void loop_free(struct loop *loop);

/* See loop_ops.now. */
uint64_t loop_now(struct loop *loop);

/*
 * Requests that the running cycle is undone, as SIGTERM, SIGINT or SIGHUP to
 * this process do. Called from an event of the loop, so that the wait ends.
 */
void loop_interrupt(struct loop *loop, int signal);

/* Returns and clears the last signal; 0: none. */
int loop_take_signal(struct loop *loop);

/*
 * From now on a wait also ends when this descriptor becomes readable; negative:
 * none. Replaces the previous one; borrowed, and not read. A virtual clock
 * ignores it. Returns 0 or a negative errno.
 */
int loop_watch_fd(struct loop *loop, int fd);

#endif
