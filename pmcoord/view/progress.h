/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_PROGRESS_H
#define PMCOORD_VIEW_PROGRESS_H

/*
 * Shows the records of a cycle's journal: as lines on standard output, and as
 * STATUS= for the service manager. Writes a finished cycle to the log.
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/cycle.h"
#include "host/deferred.h"
#include "record/report.h"
#include "view/tty.h"

struct progress {
	bool print; /* lines are printed to standard output */
	struct tty tty; /* on a terminal: one line per guest, rewritten in place */
	bool verbose; /* --verbose: every step of every guest is printed */
	bool watches; /* `pmcoord monitor`: the start, phases and end of cycles are printed too */
	size_t n_suspended; /* guests suspended or paused so far */
	struct deferred *deferred; /* sends STATUS= to the service manager; NULL: off */
	char status[64]; /* the text of STATUS= */
};

/*
 * Prepares the output. Nothing is printed if `quiet` is set, or if standard
 * output is a regular file, because a suspended guest may serve the file's disk.
 * On a terminal that is large enough, each guest has a line that is rewritten
 * in place.
 */
void progress_init(struct progress *progress, bool quiet, bool verbose);

/*
 * Also sends STATUS= to the service manager from now on. Does nothing when out
 * of memory. Release: progress_done.
 */
void progress_notify(struct progress *progress, sd_event *event);

void progress_done(struct progress *progress);

/* A journal_observer_fn; `data` is the struct progress. */
void progress_observe(void *data, const struct cycle *cycle, const struct record *record);

/*
 * Writes a finished cycle to the log: an entry for the cycle, and an entry for
 * each guest whose verdict is not VERDICT_OK. Must be called after the cycle,
 * because the guest that serves the log's disk may be suspended until then.
 */
void progress_log_cycle(const struct report *report);

#endif
