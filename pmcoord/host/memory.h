/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_MEMORY_H
#define PMCOORD_HOST_MEMORY_H

#include "pmcoord/error.h"

/*
 * From here on no page of this process is read from a disk, whose backend may
 * be asleep. Returns 0, or negative with `error` set.
 */
int memory_lock(struct error *error);

#endif
