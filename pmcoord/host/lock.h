/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOCK_H
#define PMCOORD_HOST_LOCK_H

#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"

/*
 * One cycle at a time: takes <run>/lock for this process, until it ends or the
 * descriptor is closed. `purpose` names us to whoever comes second. Waits at
 * most `patience_us` for another to finish, in a loop of its own. Returns the
 * descriptor; -EBUSY with `error` saying who holds it; -EINTR if SIGTERM,
 * SIGINT or SIGHUP came meanwhile, which is then pending as SIGTERM; or another
 * negative errno.
 */
int lock_take(const char *run_directory, const char *purpose, uint64_t patience_us,
	      struct error *error);

/*
 * Who holds the lock, as it named itself, in `ret` ("" if it did not). Looks
 * only, and so stands in nobody's way. Returns 1, 0 when the lock is free, or
 * a negative errno.
 */
int lock_holder(const char *run_directory, char *ret, size_t size);

/*
 * What is said to whoever comes second: sets `error` to who holds the lock (""
 * if that did not name itself), and returns -EBUSY.
 */
int lock_describe_holder(const char *holder, struct error *error);

#endif
