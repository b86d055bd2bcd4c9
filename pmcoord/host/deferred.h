/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_DEFERRED_H
#define PMCOORD_HOST_DEFERRED_H

/*
 * Coalesces D-Bus signals and STATUS= updates, at most one every DEFERRED_US.
 * While guests suspend they compete with dom0 for the CPU, and each message
 * costs its receivers (D-Bus, the service manager) more than the daemon.
 */

#include <systemd/sd-event.h>

/*
 * Delay in microseconds: longer than it takes to suspend eight guests, and short
 * enough to appear immediate on a screen.
 */
#define DEFERRED_US 250000

struct deferred;

/*
 * `call(data)` runs in the event loop DEFERRED_US after deferred_schedule, once
 * for all calls of deferred_schedule until then. Returns 0 or a negative errno.
 * Release: deferred_free, which cancels a scheduled call.
 */
int deferred_new(sd_event *event, void (*call)(void *data), void *data,
		 struct deferred **ret_deferred);

void deferred_free(struct deferred *deferred);

/* Schedules the callback; no-op if it is scheduled already, or `deferred` NULL. */
void deferred_schedule(struct deferred *deferred);

#endif
