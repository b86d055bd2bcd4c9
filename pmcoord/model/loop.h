/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_LOOP_H
#define PMCOORD_MODEL_LOOP_H

/*
 * A clock and a wait for events: of sd-event (loop-event.h), or with a virtual clock
 * that jumps to the next event (simulator.h).
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
	 * Waits for an event of the hypervisor, for a signal, or until now() is
	 * `deadline_us`. Returns 0 or a negative errno.
	 */
	int (*wait)(struct loop *loop, uint64_t deadline_us);
	/* See loop_watch_fd. NULL: descriptors are ignored. */
	int (*watch_fd)(struct loop *loop, int fd);
};

struct loop {
	const struct loop_ops *ops;
	int signal; /* of the last loop_interrupt; 0: none */
};

/* `loop` may be NULL. */
void loop_free(struct loop *loop);

/* Returns the time as loop_ops.now does. */
uint64_t loop_now(struct loop *loop);

/*
 * Requests that the running cycle is undone, as after SIGTERM, SIGINT or SIGHUP. Must
 * be called by the handler of an event of the loop, because only an event ends a wait.
 */
void loop_interrupt(struct loop *loop, int signal);

/* Returns the signal of the last loop_interrupt and clears it. Returns 0 if there was none. */
int loop_take_signal(struct loop *loop);

/*
 * Lets `fd`, in place of an earlier descriptor, end waits when it becomes readable;
 * negative: no descriptor. `fd` is borrowed and not read. Loops with a virtual clock
 * ignore it. Returns 0 or a negative errno.
 */
int loop_watch_fd(struct loop *loop, int fd);

#endif
