/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_SELF_TEST_H
#define GUEST_AGENT_ENGINE_SELF_TEST_H

#include <stdbool.h>

#include "engine/engine.h"

/* Cycles without dom0: --test, and --restore after an agent that died. */

struct self_test_result {
	int quiesce_r; /* 0, or negative: it could not be quiesced */
	char reason[512]; /* why not */
	uint64_t quiesce_us; /* all quiesced after so long */
	uint64_t restore_us; /* all back after so long */
	bool degraded;
	char detail[PROTOCOL_DETAIL_MAX + 1];
};

/*
 * Quiesces and restores; SIGINT and SIGTERM shorten the first part. The engine
 * is of setup.event and setup.journal. Returns 0, or negative errno if the
 * event loop failed.
 */
int self_test_run(const struct engine_setup *setup, struct engine *engine,
		  struct self_test_result *ret);

/*
 * Undoes what the journal has and records the cycle as failed, or as degraded;
 * whether it got as far as its sleep is for a successor to see. To be called
 * with the lock held.
 */
int restore_leftovers(const struct engine_setup *setup, struct engine *engine,
		      struct self_test_result *ret);

#endif
