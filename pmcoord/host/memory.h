/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_MEMORY_H
#define PMCOORD_HOST_MEMORY_H

/* Locks the process into memory: the backend of dom0's disk may be suspended. */

#include "pmcoord/error.h"

/*
 * Locks all present and future pages, except those of libraries that are never
 * used while guests are suspended. Returns 0, or a negative errno with `error`
 * set. Call it before threads are created: one malloc arena is kept.
 */
int memory_lock(struct error *error);

#endif
