/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_GUEST_TRACKER_H
#define PMCOORD_DAEMON_GUEST_TRACKER_H

/* Which guests come and go between one look and the next. */

#include <stdbool.h>

#include "model/inventory.h"

/* Zero-initialised: nobody has looked yet. Release: guest_tracker_done. */
struct guest_tracker {
	bool has_looked;
	struct guest *guests; /* of the last look, as the inventory sorts them */
	size_t n_guests;
};

/* A guest that has come, or has gone; one that rebooted has done both. */
typedef void (*guest_tracker_fn)(void *data, const struct guest *guest, bool has_come);

/*
 * Looks at a finished inventory, and tells of whom it found new or missed. The
 * first look only takes note. Returns 0, or -ENOMEM with nobody told: the next
 * look makes up for it.
 */
int guest_tracker_update(struct guest_tracker *tracker, const struct inventory *inventory,
			 guest_tracker_fn tell, void *data);

void guest_tracker_done(struct guest_tracker *tracker);

#endif
