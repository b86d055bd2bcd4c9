/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/deferred.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct deferred {
	void (*call)(void *data);
	void *data;
	sd_event_source *timer;
	bool is_scheduled;
};

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct deferred *deferred = data;

	(void)source;
	(void)usec;
	deferred->is_scheduled = false;
	deferred->call(deferred->data);
	return 0;
}

int deferred_new(sd_event *event, void (*call)(void *data), void *data,
		 struct deferred **ret_deferred)
{
	struct deferred *deferred;
	int r;

	assert(event && call && ret_deferred);
	deferred = calloc(1, sizeof(*deferred));
	if (!deferred)
		return -ENOMEM;
	deferred->call = call;
	deferred->data = data;
	/* The accuracy lets the kernel coalesce this wake-up with others. */
	r = sd_event_add_time(event, &deferred->timer, CLOCK_MONOTONIC, 0, DEFERRED_US / 4,
			      on_timer, deferred);
	if (r >= 0)
		r = sd_event_source_set_enabled(deferred->timer, SD_EVENT_OFF);
	if (r < 0) {
		deferred_free(deferred);
		return r;
	}
	*ret_deferred = deferred;
	return 0;
}

void deferred_free(struct deferred *deferred)
{
	if (!deferred)
		return;
	sd_event_source_disable_unref(deferred->timer);
	free(deferred);
}

void deferred_schedule(struct deferred *deferred)
{
	if (!deferred || deferred->is_scheduled)
		return;
	deferred->is_scheduled = true;
	/* If the timer cannot be armed, call immediately. */
	if (sd_event_source_set_time_relative(deferred->timer, DEFERRED_US) < 0 ||
	    sd_event_source_set_enabled(deferred->timer, SD_EVENT_ONESHOT) < 0)
		on_timer(deferred->timer, 0, deferred);
}
