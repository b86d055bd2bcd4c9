/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOGIND_H
#define PMCOORD_HOST_LOGIND_H

/* Suspends the host through logind, which has systemd run pmcoord's sleep unit. */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Whether a sleep through logind runs pmcoord-sleep.service: logind answers, and
 * the unit is enabled. False without a system bus.
 */
bool logind_runs_our_unit(void);

/* How the end of a cycle is recognised. */
struct logind_end {
	const char *directory; /* created if needed; watched for new files */
	/* Called for each new file: whether the cycle has ended. */
	bool (*is_over)(void *data);
	void *data;
};

/*
 * Calls logind's Suspend and waits for the cycle's end, at most `timeout_us` of
 * time awake. Returns 0, or a negative errno with `error` set: -EBUSY if a sleep
 * is in progress already, -EOPNOTSUPP if the host cannot suspend, -ETIMEDOUT,
 * -ECANCELED if the sleep unit stopped without a cycle's end.
 */
int logind_suspend(const struct logind_end *end, uint64_t timeout_us, struct error *error);

#endif
