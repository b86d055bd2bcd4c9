/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_PROGRESS_H
#define PMCOORD_VIEW_PROGRESS_H

/*
 * The progress of a cycle, from the records of its journal: lines on standard
 * output, STATUS= for the service manager, and entries in the log at its end.
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/cycle.h"
#include "host/deferred.h"
#include "record/report.h"
#include "view/tty.h"

struct progress {
	bool print; /* to standard output */
	struct tty tty; /* on a terminal: a line per guest, rewritten in place */
	bool verbose;
	bool watches; /* cycles of other processes: prints start and end too */
	size_t n_suspended;
	struct deferred *deferred; /* for the service manager's STATUS= */
	char status[64];
};

/*
 * Chooses the output by the type of standard output. Nothing is printed to a
 * regular file: the backend of its disk may be a suspended guest.
 */
void progress_init(struct progress *progress, bool quiet, bool verbose);

/*
 * Reports STATUS= to the service manager too, unless memory is short. Release:
 * progress_done.
 */
void progress_notify(struct progress *progress, sd_event *event);

void progress_done(struct progress *progress);

/* A journal_observer_fn; `data` is the struct progress. */
void progress_observe(void *data, const struct cycle *cycle, const struct record *record);

/*
 * Writes a finished cycle to the log: an entry for the cycle, and one for each
 * guest whose verdict is not VERDICT_OK. Call it when no guest is suspended any
 * more: the log may be on a disk that a guest serves.
 */
void progress_log_cycle(const struct report *report);

#endif
