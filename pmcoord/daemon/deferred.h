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
#define LEISURE_US 250000

struct leisure;

/*
 * `call(data)` is what tells. It is called by the event loop, LEISURE_US after
 * leisure_want, once for all that was wanted until then. Returns 0 or a
 * negative errno. Release: leisure_free, which calls nothing any more.
 */
int leisure_new(sd_event *event, void (*call)(void *data), void *data,
		struct leisure **ret_leisure);

void leisure_free(struct leisure *leisure);

/* Something is to be told. NULL: there is nobody to be told. */
void leisure_want(struct leisure *leisure);

#endif
