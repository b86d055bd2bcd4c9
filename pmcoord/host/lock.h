/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOCK_H
#define PMCOORD_HOST_LOCK_H

/* The lock that allows one cycle at a time: flock(2) on <run>/lock. */

#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Takes the lock, and writes `purpose` and the process ID to the lock file, for
 * messages of other processes. If another process has the lock, waits at most
 * `timeout_us`, in a separate event loop.
 *
 * Returns a descriptor, or a negative errno with `error` set: -EBUSY if another
 * process still has the lock; -EINTR if SIGTERM, SIGINT or SIGHUP ended the wait.
 * The process keeps the lock until it closes the descriptor or ends. Before -EINTR is
 * returned, SIGTERM is raised for the caller's event loop, because the wait has
 * consumed the original signal.
 */
int lock_take(const char *run_directory, const char *purpose, uint64_t timeout_us,
	      struct error *error);

/*
 * Reads the purpose and the process ID of the lock's holder, without taking the lock.
 * A new holder needs a moment to write them: until then, `ret` is "" or describes the
 * previous holder. Returns 1 if a process has the lock, 0 with `ret` untouched if the
 * lock is free, or a negative errno.
 */
int lock_holder(const char *run_directory, char *ret, size_t size);

/*
 * Sets `error` to a message that another process has the lock. `holder` is a text from
 * lock_holder, or "" if the process is unknown. Returns -EBUSY.
 */
int lock_describe_holder(const char *holder, struct error *error);

#endif
