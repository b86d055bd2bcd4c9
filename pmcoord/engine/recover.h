/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_RECOVER_H
#define PMCOORD_ENGINE_RECOVER_H

/* Cycles that stand on /run: resumed, undone, or adopted. */

#include "record/report.h"
#include "engine/coordinator.h"

/* What a resume has come to. */
struct resume_result {
	size_t n_resumed;
	bool degraded; /* devices of some guest did not come back */
	char stranded[GUEST_NAME_MAX]; /* a guest that could not be resumed */
	struct report *report; /* of the last cycle that ended, or NULL */
};

/*
 * Brings back the named guests and what they need (or, with force, them only);
 * without names all that pmcoord holds, from however many cycles, whatever
 * became of their coordinators. The caller holds the lock. Idempotent. Returns
 * 0, or a negative errno with `error` set: -ENOENT for a guest that does not
 * exist.
 */
int coordinator_resume(struct coordinator *coordinator, char **names, size_t n_names, bool force,
		       struct resume_result *ret_result, struct error *error);

/*
 * Brings back the guests of cycles whose coordinator died; guests that are held
 * on purpose stay down. Where the service manager is about to put the host to
 * sleep, or does, they stay down until that is over. The caller holds the lock.
 * Idempotent. Returns 0 or a negative errno with `error` set.
 */
int coordinator_recover(struct coordinator *coordinator, struct error *error);

#endif
