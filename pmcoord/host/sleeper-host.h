/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEPER_HOST_H
#define PMCOORD_HOST_SLEEPER_HOST_H

/* The sleep of the host that this process runs on. */

#include "model/sleep-manager.h"
#include "model/sleeper.h"

/* Writes "mem" to <sys>/power/state. Returns 0 or -ENOMEM. */
int sleeper_sysfs_new(const char *sys, struct sleeper **ret_sleeper);

/*
 * Tells the service manager READY=1, and takes SIGTERM, with which it stops the
 * unit after the wake, for the end of the sleep. With a socket, which is
 * borrowed, the same words go there instead, and its owner interrupts the loop.
 *
 * With a manager, also borrowed: refuses to prepare for a hibernation, and when
 * it is interrupted before the sleep that nothing stops any more, waits for the
 * end of that. Returns 0 or -ENOMEM.
 */
int sleeper_systemd_new(const char *sys, int socket_fd, struct sleep_manager *manager,
			struct sleeper **ret_sleeper);

#endif
