/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_LOCK_H
#define PMCOORD_LOCK_H

#include <stdint.h>

#include "pmcoord/error.h"

/*
 * One cycle at a time: takes <run>/lock for this process, until it ends or the
 * descriptor is closed. `purpose` names us to whoever comes second. Waits at
 * most `patience_us` for another to finish. Returns the descriptor, or -EBUSY
 * with `error` saying who holds it, or another negative errno.
 */
int lock_take(const char *run_directory, const char *purpose,
	      uint64_t patience_us, struct error *error);

#endif
