/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_DESKTOP_H
#define PMCOORD_DAEMON_DESKTOP_H

/*
 * Sends a desktop notification to org.freedesktop.Notifications for each cycle
 * whose result is not ok. Runs in the user's session, without privileges.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "pmcoord/error.h"

struct desktop;

/*
 * Watches the directory `reports` from the event loop `event`, and sends a
 * notification over the session bus `bus` for each new report whose result is
 * not ok. `event` and `bus` are borrowed. Returns 0 or a negative errno with
 * `error` set. Release: desktop_free.
 */
int desktop_new(const char *reports, sd_bus *bus, sd_event *event, struct desktop **ret_desktop,
		struct error *error);

void desktop_free(struct desktop *desktop);

#endif
