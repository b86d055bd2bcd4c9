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
 * The delay in microseconds: long enough for one message to cover the suspend of eight
 * guests, and too short for a person at a screen to notice.
 */
#define DEFERRED_US 250000

struct deferred;

/*
 * Makes a timer that runs call(data) DEFERRED_US after deferred_schedule. Until then,
 * further calls of deferred_schedule have no effect. Returns 0 or a negative errno.
 * Release: deferred_free.
 */
int deferred_new(sd_event *event, void (*call)(void *data), void *data,
		 struct deferred **ret_deferred);

/* Cancels a scheduled call. `deferred` may be NULL. */
void deferred_free(struct deferred *deferred);

/* Schedules the call, unless it is already scheduled or `deferred` is NULL. */
void deferred_schedule(struct deferred *deferred);

#endif
