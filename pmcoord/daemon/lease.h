/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_LEASE_H
#define PMCOORD_DAEMON_LEASE_H

#include <stdbool.h>

#include "engine/job.h"
#include "model/loop.h"

/*
 * The sleep unit's side of a sleep that the daemon does (struct
 * daemon_request): passes the daemon's words on to the service manager, and
 * ends the sleep when the manager says SIGTERM. Needs neither bus nor disk.
 *
 * Returns 0 with the outcome; -ECONNRESET if the daemon died, with
 * *ret_was_ready telling whether the host had been allowed to sleep by then; or
 * another negative errno.
 */
int lease_hold(int fd, struct loop *loop, struct job_outcome *ret_outcome, bool *ret_was_ready);

#endif
