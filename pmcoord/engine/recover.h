/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_RECOVER_H
#define PMCOORD_ENGINE_RECOVER_H

/*
 * Resumes the guests of cycles whose journals are on /run. Guests that are kept
 * suspended are resumed only on request.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "record/report.h"
#include "engine/context.h"

/* The outcome of coordinator_resume or coordinator_recover. */
struct resume_result {
	size_t n_resumed; /* guests */
	/* A guest runs with a loss, or a journal is damaged. The report names it. */
	bool degraded;
	size_t n_stranded; /* guests that could not be resumed */
	char stranded[256]; /* their names, or as many as fit */
	/* The report of the last cycle that ended, owned by the caller; NULL: no cycle ended. */
	struct report *report;
};

/*
 * Resumes the named guests and the guests that they need; with `force`, only
 * the named guests. Without names, resumes all guests that a cycle has
 * suspended or paused, whether the cycle was interrupted or keeps its guests
 * suspended. Does nothing to guests that run. The caller holds the lock, see
 * lock.h. Returns 0, or a negative errno with `error` set: -ENOENT for a guest
 * that does not exist.
 */
int coordinator_resume(struct coordinator *coordinator, char **names, size_t n_names, bool force,
		       struct resume_result *ret_result, struct error *error);

/*
 * Resumes the guests of cycles whose coordinator died, and tries again to
 * resume stranded guests. Resumes guests that have suspended late. Does not resume
 * guests that are kept suspended until a command resumes them. If the service manager
 * is putting the host to sleep, first waits for the end of that sleep. The caller holds
 * the lock, see lock.h. Returns 0, or a negative errno with `error` set. Sets *ret_result
 * even then.
 */
int coordinator_recover(struct coordinator *coordinator, struct resume_result *ret_result,
			struct error *error);

/*
 * Whether coordinator_recover has something to do for a guest that may suspend late: the
 * guest has suspended or ended, or will not suspend any more. Only reads. *ret_until_us: when
 * this changes without an event (LOOP_FOREVER: never).
 */
bool coordinator_late_is_due(struct coordinator *coordinator, uint64_t *ret_until_us);

#endif
