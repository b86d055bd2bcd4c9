/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_MONITOR_H
#define PMCOORD_VIEW_MONITOR_H

/*
 * Follows the cycles of all processes through their journals. Waits with
 * inotify, so this process does not wake up while no cycle runs.
 */

#include <stdint.h>

#include "pmcoord/error.h"
#include "record/journal.h"

struct sd_event;

struct monitor_observer {
	/* Gets each record, first the records of journals that already exist. */
	journal_observer_fn observer;
	/*
	 * Called with the number of a cycle that ended before its journal could
	 * be opened; `observer` gets none of its records.
	 */
	void (*missed)(void *data, uint64_t number);
	/* Adds further event sources, before the loop runs; may be NULL. */
	void (*join)(void *data, struct sd_event *event);
	void *data;
};

/*
 * Follows the cycles whose journals are in the directory `journals`, which need
 * not exist yet. Returns 0 after a stop signal (see stop-signals.h), or a
 * negative errno with `error` set: -EACCES if the user may not read the
 * journals.
 */
int monitor_run(const char *journals, const struct monitor_observer *listener, struct error *error);

#endif
