/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_PROGRESS_H
#define PMCOORD_VIEW_PROGRESS_H

/*
 * What a person, the service manager and the log are told while a cycle runs.
 * All of it hangs on the journal's records.
 */

#include <stdbool.h>

#include "record/journal.h"
#include "record/report.h"
#include "host/deferred.h"
#include "view/tty.h"

struct progress {
	bool print; /* to standard output */
	struct tty tty; /* there a terminal: a line per guest, in place */
	bool verbose;
	bool watches; /* somebody else's cycle: also its beginning and end */
	size_t n_suspended;
	struct deferred *deferred; /* for the service manager's STATUS= */
	char status[64];
};

/*
 * Sets up for standard output as it is: nothing is printed there while guests
 * are down when it is a file, because its disk's backend may be asleep.
 */
void progress_init(struct progress *progress, bool quiet, bool verbose);

/*
 * From now on the service manager is told as well. Where there is no memory for
 * that, it is not. Release: progress_done.
 */
void progress_notify(struct progress *progress, sd_event *event);

void progress_done(struct progress *progress);

/* A journal_observer_fn; `data` is the struct progress. */
void progress_observe(void *data, const struct cycle *cycle, const struct record *record);

/*
 * Says in the log how a finished cycle went: one entry, and one for each guest
 * that held it up or did not come back. For services; called once all guests
 * are back.
 */
void progress_log_cycle(const struct report *report);

#endif
