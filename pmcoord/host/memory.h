/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_MEMORY_H
#define PMCOORD_HOST_MEMORY_H

/*
 * Locks the process into memory, because pages cannot be read from dom0's disk while
 * the disk's backend is suspended.
 */

#include "pmcoord/error.h"

/*
 * Locks all present and future pages, except the read-only pages of libraries that are
 * never used while guests are suspended. Must be called before threads are created,
 * because it also limits malloc(3) to one arena. Returns 0, or a negative errno with
 * `error` set.
 */
int memory_lock(struct error *error);

#endif
