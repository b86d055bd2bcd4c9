/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_SELF_TEST_H
#define GUEST_AGENT_ENGINE_SELF_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/protocol.h"
#include "engine/engine.h"

/*
 * Runs the engine without dom0. A self-test (--test) quiesces and restores the guest
 * without a suspend. --restore undoes a cycle that an agent has left unfinished.
 */

struct self_test_result {
	int quiesce_r; /* 0, or negative errno if the guest could not be quiesced */
	char reason[512]; /* why the guest could not be quiesced, or "" */
	uint64_t quiesce_us;
	uint64_t restore_us;
	bool degraded;
	char detail[PROTOCOL_DETAIL_MAX + 1];
};

/*
 * Quiesces and restores the guest. A stop signal (stop-signals.h) while quiescing sets
 * `quiesce_r` to -EINTR, and the guest is restored. `engine` must have been created from
 * `setup`, and the journal must be locked. Returns 0, or negative errno if the event loop
 * failed.
 */
int self_test_run(const struct engine_setup *setup, struct engine *engine,
		  struct self_test_result *ret);

/*
 * Undoes the effects in the journal. Records the cycle as degraded if an effect could not be
 * undone, otherwise as failed. The next agent replaces `failed` with `ready` if the guest was
 * suspended in that cycle. The journal must be open and locked. Returns 0 or negative errno.
 */
int restore_leftovers(const struct engine_setup *setup, struct engine *engine,
		      struct self_test_result *ret);

#endif
