/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_MONITOR_H
#define PMCOORD_VIEW_MONITOR_H

/*
 * Cycles as they happen, whoever runs them: their journals are followed by
 * inotify, so that nothing wakes up while nothing happens.
 */

#include <stdint.h>

#include "pmcoord/error.h"
#include "record/journal.h"

struct sd_event;

struct monitor_observer {
	/* Each record; first those of the journals that are there already. */
	journal_observer_fn observer;
	/* A cycle that was over before its journal could be opened. */
	void (*missed)(void *data, uint64_t number);
	/* Adds events of its own to the loop before that runs; may be NULL. */
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
