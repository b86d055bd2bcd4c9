/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_STATUS_H
#define PMCOORD_RECORD_STATUS_H

/*
 * The present state of pmcoord: the running cycle, the suspended guests and the
 * last report. Read from the journals on /run, the lock and the reports.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pmcoord/error.h"
#include "model/cycle.h"
#include "host/roots.h"
#include "record/report.h"

enum status_state {
	STATUS_IDLE,
	STATUS_RUNNING, /* a cycle is running */
	STATUS_KEPT_SUSPENDED, /* guests stay suspended until they are resumed */
	STATUS_INTERRUPTED, /* a cycle whose coordinator died */
};

struct status {
	enum status_state state;
	bool has_daemon; /* set by the caller: no file has this */
	bool locked; /* a coordinator is running … */
	char holder[128]; /* … and calls itself so; may be "" */
	struct cycle *cycles; /* of this boot, not ended, ascending */
	size_t n_cycles;
	size_t n_unreadable; /* damaged journals */
	struct report *last; /* NULL: none */
};

/*
 * Returns 0, or a negative errno with `error` set: -EACCES without the
 * privilege to read the files. Release: status_done.
 */
int status_read(const struct roots *roots, struct status *ret_status, struct error *error);
void status_done(struct status *status);

/*
 * Prints it for people, or as one JSON object. `now_us` is CLOCK_REALTIME.
 * Returns 0 or a negative errno.
 */
int status_print(const struct status *status, uint64_t now_us, bool json, FILE *out);

#endif
