/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEPER_HOST_H
#define PMCOORD_HOST_SLEEPER_HOST_H

/* The sleep of this host: through /sys/power, or as a part of sleep.target. */

#include "model/sleep-manager.h"
#include "model/sleeper.h"
#include "host/roots.h"

/*
 * Makes a sleeper that writes "mem" to <sys>/power/state. Returns 0 or -ENOMEM.
 * Release: sleeper_free.
 */
int sleeper_sysfs_new(const char *sys, struct sleeper **ret_sleeper);

/*
 * Undoes what a sleeper has changed if its process died before finish(): below roots->sys, from the
 * note in roots->run, and in systemd's configuration. A failure leaves the note for the next call.
 */
void sleeper_undo_changes(const struct roots *roots);

/*
 * Makes a sleeper that lets systemd put the host to sleep. enter() sends READY=1 to
 * the service manager, and returns after the SIGTERM that the service manager sends
 * after the wake. If `socket_fd` is not negative, enter() sends to this socket
 * instead; the caller watches the socket, and calls loop_interrupt to make enter()
 * return.
 *
 * prepare() leaves systemd nothing but S3 to try, by a file below `systemd_root` (see
 * sleep_conf_restrict), which finish() removes.
 *
 * If `manager` is not NULL, prepare() refuses every kind of sleep that hibernates, and
 * enter() waits until the sleep is over, even if the signal arrives earlier.
 * `systemd_root`, `socket_fd` and `manager` are borrowed. Returns 0 or -ENOMEM. Release:
 * sleeper_free.
 */
int sleeper_systemd_new(const char *sys, const char *systemd_root, int socket_fd,
			struct sleep_manager *manager, struct sleeper **ret_sleeper);

#endif
