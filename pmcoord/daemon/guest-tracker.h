/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_GUEST_TRACKER_H
#define PMCOORD_DAEMON_GUEST_TRACKER_H

/* Detects guests that were added or removed between two inventories. */

#include <stdbool.h>
#include <stddef.h>

#include "model/inventory.h"

/* Initialise with zeros. Release: guest_tracker_done. */
struct guest_tracker {
	bool has_snapshot; /* an inventory was stored */
	struct guest *guests; /* of the last inventory, sorted by guest_compare */
	size_t n_guests;
};

/*
 * Called for each guest that was added or removed. A guest that has rebooted
 * has another domid, and is reported as removed and as added.
 */
typedef void (*guest_tracker_fn)(void *data, const struct guest *guest, bool was_added);

/*
 * Compares a finished inventory with the previous inventory and calls `report`
 * for each difference. The first call only stores the inventory. Returns 0, or
 * -ENOMEM without a report: the next call then reports these differences.
 */
int guest_tracker_update(struct guest_tracker *tracker, const struct inventory *inventory,
			 guest_tracker_fn report, void *data);

void guest_tracker_done(struct guest_tracker *tracker);

#endif
