/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_CONTEXT_H
#define PMCOORD_ENGINE_CONTEXT_H

/*
 * What the engine's functions work with: the configuration, the host and, in a
 * cycle, the cycle's journal. Each cycle uses its own copy of the context. The
 * copy has the cycle's journal, and can have another configuration.
 */

#include "model/config.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "model/loop.h"
#include "model/sleep-manager.h"
#include "host/lid.h"
#include "host/roots.h"
#include "record/journal.h"

/* All pointers are borrowed, except for `lid`. */
struct coordinator {
	const struct config *config;
	const struct roots *roots;
	struct hypervisor *hypervisor;
	struct loop *loop;
	/* NULL: no service manager puts this host to sleep. */
	struct sleep_manager *sleep_manager;
	/*
	 * The watched lid; NULL: not watched, or the host has no lid. job_run
	 * opens the lid's device for cycles with a sleeper. After a JOB_SLEEP
	 * that failed with the lid closed, the device stays open, so that the
	 * next job notices whether the lid was opened. The owner of this context
	 * frees `lid`.
	 */
	struct lid *lid;
	/* Called with each record that is written to a cycle's journal; may be NULL. */
	journal_observer_fn observer;
	void *observer_data;
	/* The journal of the cycle; NULL: the context is not for a cycle. */
	struct journal *journal;
};

/*
 * Returns a copy of the context for the cycle of `journal`, which is borrowed.
 * From now on the records of this journal are passed to the context's observer.
 */
struct coordinator context_of_cycle(const struct coordinator *coordinator, struct journal *journal);

/* Returns the cycle of the context's journal, borrowed. The journal must not be NULL. */
const struct cycle *context_cycle(const struct coordinator *coordinator);

/*
 * Writes a record with the current time. `type` must be a type that is not about
 * one guest. Returns 0 or a negative errno, as journal_record does.
 */
int coordinator_record(struct coordinator *coordinator, enum record_type type, const char *text);

#endif
