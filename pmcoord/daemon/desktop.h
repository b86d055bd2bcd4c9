/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_DESKTOP_H
#define PMCOORD_DAEMON_DESKTOP_H

/*
 * Tells whoever sits in front of a desktop session what went wrong: a
 * notification for each report of a cycle that was not ok. Runs in the session,
 * with no more rights than it has.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "pmcoord/error.h"

struct desktop;

/*
 * From now on each report that is saved in the directory is looked at, in an
 * event of `event`, and told over the session's `bus`; both are borrowed.
 * Returns 0 or a negative errno with `error` set. Release: desktop_free.
 */
int desktop_new(const char *reports, sd_bus *bus, sd_event *event, struct desktop **ret_desktop,
		struct error *error);

void desktop_free(struct desktop *desktop);

#endif
