/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_PREARM_H
#define PMCOORD_ENGINE_PREARM_H

/* Prepares the next cycle while none is running. */

#include "pmcoord/error.h"
#include "model/inventory.h"
#include "engine/context.h"

/* The inventory is borrowed for the duration of the call. */
typedef void (*prearm_inventory_fn)(void *data, const struct inventory *inventory);

/*
 * Binds the event channel of every guest, and writes the request of the next
 * cycle ahead for agents that are ready, so that the request itself is one
 * hypercall or one write. A guest for which that fails is prepared by its cycle
 * instead. Calls `callback`, which may be NULL, with the inventory. Returns 0,
 * or a negative errno with `error` set when the inventory could not be read.
 */
int prearm_refresh(struct coordinator *coordinator, prearm_inventory_fn callback, void *data,
		   struct error *error);

#endif
