/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_LEASE_H
#define PMCOORD_DAEMON_LEASE_H

/*
 * The sleep unit's end of the lease, for a cycle that the daemon runs. The lease
 * is a socket between the sleep unit and the daemon: the daemon keeps the guests
 * suspended as long as the sleep unit keeps its end open for writing (see struct
 * daemon_request).
 */

#include <stdbool.h>

#include "engine/job.h"
#include "model/loop.h"

/*
 * Waits until the daemon sends the outcome over the lease `fd` (borrowed), and
 * passes the daemon's other messages on to the service manager. On a stop
 * signal, shuts the lease down for writing, which makes the daemon resume the
 * guests. Uses neither D-Bus nor disks, because they may not work while guests
 * are suspended.
 *
 * Returns 0 with the outcome; -ECONNRESET if the daemon died; or another
 * negative errno. With 0 and -ECONNRESET, *ret_was_ready says whether the
 * daemon had reported that all guests were suspended.
 */
int lease_hold(int fd, struct loop *loop, struct job_outcome *ret_outcome, bool *ret_was_ready);

#endif
