/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_CONTEXT_H
#define PMCOORD_ENGINE_CONTEXT_H

/*
 * The context of the engine's functions. Each cycle has a copy of its own, with
 * its journal and the configuration that applies to it.
 */

#include "model/config.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "model/loop.h"
#include "model/sleep-manager.h"
#include "host/lid.h"
#include "host/roots.h"
#include "record/journal.h"

/* All borrowed but the lid. */
struct coordinator {
	const struct config *config;
	const struct roots *roots;
	struct hypervisor *hypervisor;
	struct loop *loop;
	/* NULL: no service manager puts this host to sleep. */
	struct sleep_manager *sleep_manager;
	/*
	 * NULL: not open, or none. job_run opens it for cycles with a sleeper,
	 * and keeps it after a failed sleep; the owner of this context frees it.
	 */
	struct lid *lid;
	/* Called with each record of a cycle; may be NULL. */
	journal_observer_fn observer;
	void *observer_data;
	/* Of the cycle; NULL in a context that is not of a cycle. */
	struct journal *journal;
};

/*
 * A context for the cycle of this journal, which is borrowed. From now on its
 * records are passed to the observer.
 */
struct coordinator context_of_cycle(const struct coordinator *coordinator, struct journal *journal);

/* The cycle of the journal; borrowed. */
const struct cycle *context_cycle(const struct coordinator *coordinator);

/*
 * Records something about the whole cycle, at the present time. Returns as
 * journal_record.
 */
int coordinator_record(struct coordinator *coordinator, enum record_type type, const char *text);

#endif
