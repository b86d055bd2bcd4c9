/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_PREARM_H
#define PMCOORD_ENGINE_PREARM_H

/* Prepares the next cycle while no cycle is running. */

#include "pmcoord/error.h"
#include "model/inventory.h"
#include "engine/context.h"

/* Receives the inventory that prearm_refresh has read, borrowed during the call. */
typedef void (*prearm_inventory_fn)(void *data, const struct inventory *inventory);

/*
 * Binds the event channel of every guest that a cycle would suspend. For agents
 * that are ready or degraded, also writes the request of the next cycle ahead of
 * time. The cycle then sends each request by one hypercall or one write. Failures
 * of single guests are ignored, because the cycle prepares all guests again. Calls
 * `callback` (NULL: none) with the inventory. Returns 0, or a negative errno with
 * `error` set if the inventory could not be read or no plan could be made.
 */
int prearm_refresh(struct coordinator *coordinator, prearm_inventory_fn callback, void *data,
		   struct error *error);

#endif
