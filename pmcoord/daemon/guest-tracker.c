/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest-tracker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Calls `report` for each guest that only one of the trackers has. Makes one pass,
 * because the guests of both are sorted by guest_compare.
 */
static void compare(const struct guest_tracker *before, const struct guest_tracker *now,
		    guest_tracker_fn report, void *data)
{
	size_t i = 0, j = 0;

	while (i < before->n_guests || j < now->n_guests) {
		int order = i == before->n_guests ? 1
			    : j == now->n_guests
				    ? -1
				    : guest_compare(&before->guests[i], &now->guests[j]);

		if (order < 0)
			report(data, &before->guests[i], false);
		else if (order > 0)
			report(data, &now->guests[j], true);
		i += order <= 0;
		j += order >= 0;
	}
}

int guest_tracker_update(struct guest_tracker *tracker, const struct inventory *inventory,
			 guest_tracker_fn report, void *data)
{
	struct guest_tracker now = {
		.has_snapshot = true,
		.guests = calloc(inventory->n_guests + 1, sizeof(*now.guests)),
		.n_guests = inventory->n_guests,
	};

	assert(tracker && report);
	if (!now.guests)
		return -ENOMEM;
	if (now.n_guests > 0)
		memcpy(now.guests, inventory->guests, now.n_guests * sizeof(*now.guests));
	if (tracker->has_snapshot)
		compare(tracker, &now, report, data);
	guest_tracker_done(tracker);
	*tracker = now;
	return 0;
}

void guest_tracker_done(struct guest_tracker *tracker)
{
	if (!tracker)
		return;
	free(tracker->guests);
	*tracker = (struct guest_tracker){ 0 };
}
