/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_LOOP_H
#define PMCOORD_LOOP_H

/*
 * Time and waiting. The engine is passive: it is told what happened and says
 * until when it can wait. On Xen the waiting is sd-event's; on the simulator
 * the clock is virtual, and jumps to the next thing that happens.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "pmcoord/hypervisor.h"

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
	/* The last SIGTERM or SIGINT that came, 0 if none; clears it. */
	int (*take_signal)(struct loop *loop);
};

struct loop {
	const struct loop_ops *ops;
};

/*
 * The real one: sd-event over the hypervisor's descriptor, with SIGTERM and
 * SIGINT blocked and taken as events. `hypervisor` is borrowed and may be NULL.
 */
int loop_new(struct hypervisor *hypervisor, struct loop **ret_loop,
	     struct error *error);

void loop_free(struct loop *loop);

uint64_t loop_now(struct loop *loop);

#endif
