/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEPER_HOST_H
#define PMCOORD_HOST_SLEEPER_HOST_H

/* The sleep of this host: through /sys/power, or as a part of sleep.target. */

#include "model/sleep-manager.h"
#include "model/sleeper.h"

/*
 * Sleeps by writing "mem" to <sys>/power/state. Returns 0 or -ENOMEM. Release:
 * sleeper_free.
 */
int sleeper_sysfs_new(const char *sys, struct sleeper **ret_sleeper);

/*
 * Lets systemd sleep: sends READY=1 to the service manager, whose SIGTERM after
 * the wake ends the sleep. With a `socket_fd` (negative: none), the notifications
 * are sent there instead, and its owner interrupts the loop.
 *
 * With a `manager` (NULL: none), prepare() refuses a hibernation, and enter(),
 * interrupted before a sleep that cannot be cancelled any more, waits for the
 * end of that sleep. Both are borrowed. Returns 0 or -ENOMEM. Release:
 * sleeper_free.
 */
int sleeper_systemd_new(const char *sys, int socket_fd, struct sleep_manager *manager,
			struct sleeper **ret_sleeper);

#endif
