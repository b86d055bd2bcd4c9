/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_PREARM_H
#define PMCOORD_ENGINE_PREARM_H

/* Prepares the next cycle while no cycle is running. */

#include "pmcoord/error.h"
#include "model/inventory.h"
#include "engine/context.h"

/*
 * Gets the inventory that prearm_refresh has read; borrowed for the duration of
 * the call.
 */
typedef void (*prearm_inventory_fn)(void *data, const struct inventory *inventory);

/*
 * Binds the event channel of every guest that a cycle would suspend. For agents
 * that are ready or degraded, also writes the request of the next cycle ahead of
 * time. The cycle itself then sends the request by one hypercall or one write. A
 * guest for which this fails is prepared again by the cycle. Calls `callback`,
 * unless it is NULL, with the inventory. Returns 0, or a negative errno with
 * `error` set if the inventory could not be read or no plan could be made.
 */
int prearm_refresh(struct coordinator *coordinator, prearm_inventory_fn callback, void *data,
		   struct error *error);

#endif
