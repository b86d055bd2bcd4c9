/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_STATUS_H
#define PMCOORD_RECORD_STATUS_H

/*
 * The present state of pmcoord: the running cycle, the suspended guests and the
 * last report. It is read from the journals on /run, the lock and the reports.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pmcoord/error.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "host/roots.h"
#include "record/report.h"

enum status_state {
	STATUS_IDLE, /* no cycle is running, and no guest is kept suspended */
	STATUS_RUNNING, /* a cycle is running */
	STATUS_KEPT_SUSPENDED, /* guests stay suspended until a command resumes them */
	STATUS_STRANDED, /* a guest could not be resumed */
	STATUS_INTERRUPTED, /* a cycle stopped before all its guests were resumed */
};

struct status {
	enum status_state state;
	bool has_daemon; /* a daemon is running; set by the caller, not read from a file */
	bool locked; /* a coordinator holds the lock */
	char holder[128]; /* purpose and process ID of this coordinator; may be "" */
	struct cycle *cycles; /* cycles of this boot that have a journal, by number */
	size_t n_cycles;
	size_t n_unreadable; /* number of damaged journals */
	struct report *last; /* the newest report; NULL: none, or it cannot be read */
};

/*
 * Reads the status, except for has_daemon. Returns 0, or a negative errno with
 * `error` set: -EACCES if the user may not read the files. Release:
 * status_done.
 */
int status_read(const struct roots *roots, struct status *ret_status, struct error *error);

void status_done(struct status *status);

/*
 * Looks at the guests that are not running according to the journals, or that may suspend late.
 * One that others have resumed or destroyed meanwhile is no longer kept suspended, and one that
 * has suspended late is stranded; the next resume records that. Does nothing while a coordinator
 * holds the lock. The guests are not changed. Guests whose state cannot be read stay as they
 * are. Returns 0 or -ENOMEM.
 */
int status_observe(struct status *status, struct hypervisor *hypervisor);

/*
 * Prints the status as text, or as one JSON object. `now_us` is CLOCK_REALTIME.
 * Returns 0 or a negative errno.
 */
int status_print(const struct status *status, uint64_t now_us, bool json, FILE *out);

#endif
