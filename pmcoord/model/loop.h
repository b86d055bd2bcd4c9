/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_LOOP_H
#define PMCOORD_MODEL_LOOP_H

/*
 * Time and waiting. The engine is passive: it is called with what happened and
 * returns until when it can wait. The process waits by sd-event (loop-event.h);
 * a simulated clock jumps to the next thing that happens (simulator.h).
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
	 * Waits until the hypervisor has an event, a signal came, or now() is
	 * at `deadline_us`. Returns 0 or a negative errno.
	 */
	int (*wait)(struct loop *loop, uint64_t deadline_us);
	/* See loop_watch_fd; may be NULL. */
	int (*watch_fd)(struct loop *loop, int fd);
};

struct loop {
	const struct loop_ops *ops;
	int signal; /* see loop_interrupt */
};

void loop_free(struct loop *loop);

uint64_t loop_now(struct loop *loop);

/*
 * SIGTERM, SIGINT or SIGHUP: what is going on shall be undone. Signals of the
 * process arrive by themselves; others who may stop a cycle call this, from an
 * event of the loop, so that the wait ends.
 */
void loop_interrupt(struct loop *loop, int signal);

/* The last signal that came, 0 if none; clears it. */
int loop_take_signal(struct loop *loop);

/*
 * Whether a descriptor that becomes readable ends a wait as well; who looks at
 * it then is the caller's matter. One at a time, negative: none any more. A
 * virtual clock waits for no descriptor, and ignores it. Returns 0 or a
 * negative errno.
 */
int loop_watch_fd(struct loop *loop, int fd);

#endif
