/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_CONTEXT_H
#define PMCOORD_ENGINE_CONTEXT_H

/*
 * What the engine's functions work with. Each cycle uses a copy of its own,
 * which has the journal of the cycle and the configuration that applies to the
 * cycle.
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
	 * NULL: not open, or the host has no lid. job_run opens the lid for
	 * cycles with a sleeper, and keeps the lid open after a failed sleep.
	 * The owner of this context frees it.
	 */
	struct lid *lid;
	/*
	 * Called with each record that is written to a cycle's journal; may be
	 * NULL.
	 */
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

/*
 * Returns the cycle of the context's journal, which must not be NULL; borrowed.
 */
const struct cycle *context_cycle(const struct coordinator *coordinator);

/*
 * Writes a record of a type that concerns the whole cycle, not one guest, at
 * the present time. Returns as journal_record.
 */
int coordinator_record(struct coordinator *coordinator, enum record_type type, const char *text);

#endif
