/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_RECOVER_H
#define PMCOORD_ENGINE_RECOVER_H

/* Finds the cycles whose journals are on /run: resumes, undoes or adopts them. */

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "model/inventory.h"
#include "record/report.h"
#include "engine/context.h"

/* The outcome of coordinator_resume. */
struct resume_result {
	size_t n_resumed;
	bool degraded; /* some guest did not resume as it was, see the report */
	char stranded[GUEST_NAME_MAX]; /* a guest that could not be resumed; "": none */
	struct report *report; /* of the last cycle that ended, or NULL */
};

/*
 * Resumes the named guests and the guests that they need (with `force` the
 * named only); without names all guests that any cycle has suspended or paused,
 * whether or not its coordinator still runs. The caller holds the lock.
 * Idempotent. Returns 0, or a negative errno with `error` set: -ENOENT for a
 * guest that does not exist.
 */
int coordinator_resume(struct coordinator *coordinator, char **names, size_t n_names, bool force,
		       struct resume_result *ret_result, struct error *error);

/*
 * Resumes the guests of cycles whose coordinator died, except for those that
 * are kept suspended (--guests-only). If the service manager is putting the
 * host to sleep, waits for the end of that first. The caller holds the lock.
 * Idempotent. Returns 0 or a negative errno with `error` set.
 */
int coordinator_recover(struct coordinator *coordinator, struct error *error);

#endif
