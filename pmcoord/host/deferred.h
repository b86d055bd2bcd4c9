/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_DEFERRED_H
#define PMCOORD_HOST_DEFERRED_H

/*
 * Coalesces D-Bus signals and STATUS= updates, so that at most one is sent every
 * DEFERRED_US. Each message costs its receivers (D-Bus, the service manager) CPU
 * time, which guests need while they suspend.
 */

#include <systemd/sd-event.h>

/*
 * The delay in microseconds. It is so long that one message covers the suspend of
 * eight guests, and so short that a person at a screen does not notice it.
 */
#define DEFERRED_US 250000

struct deferred;

/*
 * Prepares deferred calls of `call` with `data`. The event loop makes a call
 * DEFERRED_US after deferred_schedule; further calls of deferred_schedule until then
 * have no effect. Returns 0 or a negative errno. Release: deferred_free.
 */
int deferred_new(sd_event *event, void (*call)(void *data), void *data,
		 struct deferred **ret_deferred);

/* Cancels a scheduled call. `deferred` may be NULL. */
void deferred_free(struct deferred *deferred);

/* Schedules the call, unless it is already scheduled or `deferred` is NULL. */
void deferred_schedule(struct deferred *deferred);

#endif
