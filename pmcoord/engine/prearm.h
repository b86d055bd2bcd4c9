/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_PREARM_H
#define PMCOORD_ENGINE_PREARM_H

#include "engine/coordinator.h"

typedef void (*prearm_inventory_fn)(void *data, const struct inventory *inventory);

/*
 * Makes ready, for every guest there is, what its next request needs: the event
 * channel bound, and for an agent the request of the next cycle written ahead,
 * so that the request itself is one hypercall or one write. What cannot be made
 * ready now is when the cycle comes. `look`, which may be NULL, is shown the
 * guests, and shall keep nothing of them. Returns 0, or a negative errno with
 * `error` set when the guests could not be read at all.
 */
int prearm_refresh(struct coordinator *coordinator, prearm_inventory_fn look, void *data,
		   struct error *error);

#endif
