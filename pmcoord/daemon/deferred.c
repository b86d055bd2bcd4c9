/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/deferred.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct leisure {
	void (*call)(void *data);
	void *data;
	sd_event_source *timer;
	bool is_wanted;
};

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct leisure *leisure = data;

	(void)source;
	(void)usec;
	leisure->is_wanted = false;
	leisure->call(leisure->data);
	return 0;
}

int leisure_new(sd_event *event, void (*call)(void *data), void *data, struct leisure **ret_leisure)
{
	struct leisure *leisure = calloc(1, sizeof(*leisure));
	int r;

	if (!leisure)
		return -ENOMEM;
	leisure->call = call;
	leisure->data = data;
	/* The accuracy lets the kernel wake us together with something else. */
	r = sd_event_add_time(event, &leisure->timer, CLOCK_MONOTONIC, 0, LEISURE_US / 4, on_timer,
			      leisure);
	if (r >= 0)
		r = sd_event_source_set_enabled(leisure->timer, SD_EVENT_OFF);
	if (r < 0) {
		leisure_free(leisure);
		return r;
	}
	*ret_leisure = leisure;
	return 0;
}

void leisure_free(struct leisure *leisure)
{
	if (!leisure)
		return;
	sd_event_source_disable_unref(leisure->timer);
	free(leisure);
}

void leisure_want(struct leisure *leisure)
{
	if (!leisure || leisure->is_wanted)
		return;
	leisure->is_wanted = true;
	/* Where the timer cannot be set it is told at once. */
	if (sd_event_source_set_time_relative(leisure->timer, LEISURE_US) < 0 ||
	    sd_event_source_set_enabled(leisure->timer, SD_EVENT_ONESHOT) < 0)
		on_timer(leisure->timer, 0, leisure);
}
