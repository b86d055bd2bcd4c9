/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_LEASE_H
#define PMCOORD_DAEMON_LEASE_H

/*
 * The sleep unit's side of the lease. The lease is a pair of connected sockets:
 * the sleep unit has one end, and the daemon has the other. The daemon keeps the
 * guests suspended until the sleep unit closes its end or shuts this end down for
 * writing.
 */

#include <stdbool.h>

#include "engine/job.h"
#include "model/loop.h"

/*
 * Waits until the daemon sends the outcome to `fd`, the sleep unit's end of the
 * lease (borrowed), and passes the daemon's other messages on to the service
 * manager. On a stop signal, shuts `fd` down for writing, which makes the
 * daemon resume the guests. Uses neither D-Bus nor disks, because they may not
 * work while guests are suspended.
 *
 * Returns 0 with the outcome; -ECONNRESET if the daemon died; or another
 * negative errno. With 0 and -ECONNRESET, *ret_was_ready is true if the daemon
 * had reported that all guests were suspended.
 */
int lease_hold(int fd, struct loop *loop, struct job_outcome *ret_outcome, bool *ret_was_ready);

#endif
