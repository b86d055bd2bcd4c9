/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_MONITOR_H
#define PMCOORD_VIEW_MONITOR_H

/*
 * Follows the cycles of all processes through their journals. Waits by inotify:
 * no wake-ups while no cycle runs.
 */

#include <stdint.h>

#include "pmcoord/error.h"
#include "record/journal.h"

struct sd_event;

struct monitor_observer {
	/* Gets each record; first those of the journals that exist already. */
	journal_observer_fn observer;
	/* A cycle ended before its journal could be opened. */
	void (*missed)(void *data, uint64_t number);
	/* Adds events to the loop before it runs; may be NULL. */
	void (*join)(void *data, struct sd_event *event);
	void *data;
};

/*
 * Follows the cycles whose journals are in `journals`, which need not exist
 * yet, until SIGINT or SIGTERM. Returns 0 then, or a negative errno with
 * `error` set: -EACCES without the privilege to read them.
 */
int monitor_run(const char *journals, const struct monitor_observer *listener, struct error *error);

#endif
