/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_CONTEXT_H
#define PMCOORD_ENGINE_CONTEXT_H

/*
 * The one context that the engine's functions work in. A cycle has a copy of
 * its own, with its journal and with the configuration that holds for it.
 */

#include "model/config.h"
#include "model/hypervisor.h"
#include "record/journal.h"
#include "host/lid.h"
#include "model/loop.h"
#include "host/roots.h"
#include "model/sleep-manager.h"

/* What a cycle works with; all borrowed but the lid. */
struct coordinator {
	const struct config *config;
	const struct roots *roots;
	struct hypervisor *hypervisor;
	struct loop *loop;
	/* NULL: nobody puts the host to sleep behind our back. */
	struct sleep_manager *sleep_manager;
	/*
	 * For cycles with a sleeper; NULL: there is none. It is opened, and
	 * kept over failed sleeps, by job_run, and freed by our owner.
	 */
	struct lid *lid;
	/* Told of each record; may be NULL. */
	journal_observer_fn observer;
	void *observer_data;
	/* Of the cycle that this is the context of; NULL between cycles. */
	struct journal *journal;
};

/*
 * The context of a cycle whose journal is this one, borrowed: the observer, if
 * there is one, is called for its records from now on.
 */
struct coordinator context_of_cycle(const struct coordinator *coordinator, struct journal *journal);

/* The cycle as its journal has it; borrowed. */
const struct cycle *context_cycle(const struct coordinator *coordinator);

/*
 * Appends a record about the whole cycle, as of now. Returns as journal_record.
 */
int coordinator_record(struct coordinator *coordinator, enum record_type type, const char *text);

#endif
