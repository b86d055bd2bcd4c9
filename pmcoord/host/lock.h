/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOCK_H
#define PMCOORD_HOST_LOCK_H

/* The lock that allows one cycle at a time: flock(2) on <run>/lock. */

#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Takes the lock, until the returned descriptor is closed or the process ends,
 * and writes `purpose` and the process ID to the file, for messages of other
 * processes. Waits at most `timeout_us` for its release, in an event loop of its
 * own. Returns the descriptor, or a negative errno with `error` set: -EBUSY,
 * with the holder's purpose, if another process has the lock; -EINTR if SIGTERM,
 * SIGINT or SIGHUP ended the wait (pending again, as SIGTERM).
 */
int lock_take(const char *run_directory, const char *purpose, uint64_t timeout_us,
	      struct error *error);

/*
 * Reads the purpose of the process that has the lock, "" if it has not written
 * it yet, without taking the lock. Returns 1; 0 if the lock is free, with `ret`
 * untouched; or a negative errno.
 */
int lock_holder(const char *run_directory, char *ret, size_t size);

/*
 * Sets `error` to the message for a process that finds the lock taken by
 * `holder` ("": unknown). Returns -EBUSY.
 */
int lock_describe_holder(const char *holder, struct error *error);

#endif
