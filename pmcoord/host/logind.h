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

/*
 * Asks logind to suspend the host, and waits until a report newer than cycle
 * `last_number` stands in `reports`. Returns 0 then; -EBUSY if a sleep is under
 * way already, -EOPNOTSUPP if the host cannot suspend, -ETIMEDOUT or -ECANCELED
 * if no report came; with `error` set. `patience_us` is time awake.
 */
int logind_suspend(const char *reports, uint64_t last_number, uint64_t patience_us,
		   struct error *error);

#endif
