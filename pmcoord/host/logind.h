/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOGIND_H
#define PMCOORD_HOST_LOGIND_H

/* Suspends the host through logind, which makes systemd run pmcoord's sleep unit. */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Whether a sleep through logind runs pmcoord-sleep.service. This needs a logind that
 * answers on the system bus, and the unit must be enabled.
 */
bool logind_runs_our_unit(void);

#define LOGIND_END_DIRECTORIES 2

/* How the end of a cycle is recognised. */
struct logind_end {
	/*
	 * Watched for new files, one of them at least. Created if needed; all users may read
	 * the first one.
	 */
	const char *directories[LOGIND_END_DIRECTORIES];
	/* Returns whether the cycle has ended. Called after each new file. */
	bool (*is_over)(void *data);
	void *data;
};

/*
 * Calls logind's Suspend and waits for the end of the cycle. The wait is limited to
 * `timeout_us`, not counting the time for which the host sleeps. Returns 0, or a
 * negative errno with `error` set: -EBUSY if a sleep is already in progress,
 * -EOPNOTSUPP if the host cannot suspend, -ETIMEDOUT if the cycle has not ended in
 * time, -ECANCELED if the sleep unit has stopped but no cycle has ended.
 */
int logind_suspend(const struct logind_end *end, uint64_t timeout_us, struct error *error);

#endif
