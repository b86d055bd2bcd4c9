/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_LOOP_H
#define PMCOORD_MODEL_LOOP_H

/*
 * A clock and a wait for events. Implemented with sd-event (loop-event.h), and with a
 * virtual clock that jumps to the next event (simulator.h).
 */

#include <stdint.h>

/* The deadline of a wait that only an event ends. */
#define LOOP_FOREVER UINT64_MAX

struct loop;

struct loop_ops {
	void (*free)(struct loop *loop);
	/* Returns the µs of CLOCK_BOOTTIME, or of the virtual clock. */
	uint64_t (*now)(struct loop *loop);
	/*
	 * Waits until the loop has handled an event, e.g. a signal, but at most
	 * until now() reaches `deadline_us`. Returns 0 or a negative errno.
	 */
	int (*wait)(struct loop *loop, uint64_t deadline_us);
	/* See loop_watch_fd. NULL: descriptors are ignored. */
	int (*watch_fd)(struct loop *loop, int fd);
};

struct loop {
	const struct loop_ops *ops;
	int signal; /* set by loop_interrupt, cleared by loop_take_signal; 0: none */
};

/* `loop` may be NULL. */
void loop_free(struct loop *loop);

/* Returns the time as loop_ops.now does. */
uint64_t loop_now(struct loop *loop);

/*
 * Makes the running cycle resume its guests: stores `signal` for loop_take_signal().
 * Called when SIGTERM, SIGINT or SIGHUP arrives, and for other events with the same
 * effect. Must be called from a handler of the loop, because only an event ends a wait.
 */
void loop_interrupt(struct loop *loop, int signal);

/* Returns the signal that loop_interrupt has stored, and clears it. Returns 0 if none is stored. */
int loop_take_signal(struct loop *loop);

/*
 * Makes waits end when `fd` becomes readable. Replaces the descriptor of an earlier
 * call; a negative `fd` only removes that descriptor. `fd` is borrowed, and is not
 * read. A loop with a virtual clock ignores `fd`. Returns 0 or a negative errno.
 */
int loop_watch_fd(struct loop *loop, int fd);

#endif
