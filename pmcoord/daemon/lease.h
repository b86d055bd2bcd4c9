/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_LEASE_H
#define PMCOORD_DAEMON_LEASE_H

/*
 * The sleep unit's end of a sleep that the daemon runs (struct daemon_request):
 * as long as its socket is open for writing, guests are kept suspended.
 */

#include <stdbool.h>

#include "engine/job.h"
#include "model/loop.h"

/*
 * Passes the daemon's notifications on to the service manager until the daemon
 * sends the outcome. On a stop signal it shuts `fd` down for writing, and the
 * daemon resumes the guests. `fd` is borrowed. Uses neither bus nor disk, which
 * may not work while guests are suspended.
 *
 * Returns 0 with the outcome; -ECONNRESET if the daemon died, with
 * *ret_was_ready: whether all guests were suspended by then; or another negative
 * errno.
 */
int lease_hold(int fd, struct loop *loop, struct job_outcome *ret_outcome, bool *ret_was_ready);

#endif
