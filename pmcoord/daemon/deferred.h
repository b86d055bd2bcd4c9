/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_DEFERRED_H
#define PMCOORD_DAEMON_DEFERRED_H

/*
 * Telling others what may be told late. While guests go down they and dom0
 * compete for processors, and each message on the bus costs whoever listens
 * (D-Bus, the service manager) more than it costs us.
 */

#include <stdint.h>

#include <systemd/sd-event.h>

/*
 * How late: eight guests are down by then, and a person who watches takes it
 * for at once.
 */
#define DEFERRED_US 250000

struct deferred;

/*
 * `call(data)` is what tells. It is called by the event loop, DEFERRED_US after
 * deferred_schedule, once for all that was wanted until then. Returns 0 or a
 * negative errno. Release: deferred_free, which calls nothing any more.
 */
int deferred_new(sd_event *event, void (*call)(void *data), void *data,
		 struct deferred **ret_leisure);

void deferred_free(struct deferred *deferred);

/* Something is to be told. NULL: there is nobody to be told. */
void deferred_schedule(struct deferred *deferred);

#endif
