/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOGIND_H
#define PMCOORD_HOST_LOGIND_H

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"

/*
 * Whether asking logind for sleep leads to our sleep unit: logind answers, and
 * pmcoord-sleep.service is enabled. False without a system bus.
 */
bool logind_runs_our_unit(void);

/* How the end of a sleep is recognised. */
struct logind_end {
	const char *directory; /* made if needed; a new file in it may be the end */
	/* Called for each change in the directory: whether that was the end. */
	bool (*is_over)(void *data);
	void *data;
};

/*
 * Asks logind to suspend the host, and waits for the end of that. Returns 0
 * then; -EBUSY if a sleep is under way already, -EOPNOTSUPP if the host cannot
 * suspend, -ETIMEDOUT or -ECANCELED if the end did not come; with `error` set.
 * `patience_us` is time awake.
 */
int logind_suspend(const struct logind_end *end, uint64_t patience_us, struct error *error);

#endif
