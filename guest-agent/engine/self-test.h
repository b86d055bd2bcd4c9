/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_SELF_TEST_H
#define GUEST_AGENT_ENGINE_SELF_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/protocol.h"
#include "engine/engine.h"

/*
 * Runs the engine without dom0 and without a suspend: a self-test (--test), and the
 * restore of what an agent that died has left (--restore).
 */

struct self_test_result {
	int quiesce_r; /* 0, or negative errno: the guest could not be quiesced */
	char reason[512]; /* why not */
	uint64_t quiesce_us;
	uint64_t restore_us;
	bool degraded;
	char detail[PROTOCOL_DETAIL_MAX + 1];
};

/*
 * Quiesces and restores the guest. A stop signal during the first part ends it with
 * -EINTR in `quiesce_r`. `engine` must be made from the same `setup`, and the caller
 * have locked the journal. Returns 0, or negative errno if the event loop failed.
 */
int self_test_run(const struct engine_setup *setup, struct engine *engine,
		  struct self_test_result *ret);

/*
 * Undoes the journal's effects and records the cycle as failed, or as degraded. The
 * next agent corrects this if the guest was suspended in that cycle. The journal must
 * be open and locked. Returns 0 or negative errno.
 */
int restore_leftovers(const struct engine_setup *setup, struct engine *engine,
		      struct self_test_result *ret);

#endif
