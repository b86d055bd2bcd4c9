/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_MACHINE_H
#define GUEST_AGENT_ENGINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/protocol.h"

/*
 * The agent's side of the exchange in pmcoord/protocol.h, as a pure function:
 * what happened and which request stands go in, what to do comes out. No I/O,
 * no clock. The request is read anew for each input, so an event or a watch
 * only ever means *look*.
 *
 *   idle ──event──> quiescing ──commit──> quiesced
 *    ^                  │ failed,            │ woken, timed out,
 *    │                  │ retracted          │ retracted
 *    └──── restored ─── restoring <──────────┘
 *
 * The request that stands is dom0's will, also when its cycle is lower than one
 * seen before (dom0 may have lost its counter). Only the cycle that this guest
 * is done with is not acted on again.
 */
enum machine_phase {
	MACHINE_IDLE,
	MACHINE_QUIESCING,
	MACHINE_QUIESCED,
	MACHINE_RESTORING,
};

enum machine_input {
	MACHINE_WATCH, /* the xenstore watch fired */
	MACHINE_EVENT, /* dom0 notified, or a spurious event */
	MACHINE_QUIESCE_DONE, /* everything is quiesced */
	MACHINE_QUIESCE_FAILED, /* it cannot be quiesced */
	MACHINE_COMMITTED, /* `quiesced N` and control/shutdown stand */
	MACHINE_RETRACTED, /* the commit found another request */
	MACHINE_COMMIT_FAILED, /* xenstore refused the commit */
	MACHINE_WOKEN, /* the kernel suspended and runs again */
	MACHINE_TIMED_OUT, /* the kernel has not suspended in time */
	MACHINE_RESTORED, /* all is undone */
	MACHINE_RESTORED_DEGRADED, /* some of it could not be undone */
};

/* What to do, in this order. */
enum machine_action {
	/* Clear an own control/shutdown that nobody has acknowledged. */
	MACHINE_WITHDRAW = 1 << 0,
	/* Swallow pending events, so that a later one means this state. */
	MACHINE_DRAIN = 1 << 1,
	/* Write `publish` to the state node. */
	MACHINE_PUBLISH = 1 << 2,
	MACHINE_NOTIFY = 1 << 3,
	/* At most one of these. */
	MACHINE_QUIESCE = 1 << 4,
	MACHINE_COMMIT = 1 << 5,
	MACHINE_RESTORE = 1 << 6,
};

struct machine_step {
	unsigned int actions;
	struct protocol_state publish;
};

struct machine {
	enum machine_phase phase;
	/* The cycle that is quiesced or restored, unless idle. */
	uint64_t cycle;
	/* The state that stands in xenstore. */
	struct protocol_state published;
	/* `ready` was published for this request, and it was not acted on. */
	bool armed;
	/* How the last cycle ended; PROTOCOL_AGENT_NONE before the first. */
	struct protocol_state done;
	/* Restoring: the guest never went down, which dom0 is to be told. */
	bool failed;
};

/* What a starting agent finds. */
struct machine_past {
	/* The state node as it stands; PROTOCOL_AGENT_NONE if it does not. */
	struct protocol_state published;
	/* How the last cycle ended, as recorded on /run. */
	struct protocol_state done;
	/* A predecessor died in this cycle and left effects behind. */
	bool unfinished;
	uint64_t cycle;
	/* The predecessor's event channel lives on, with its pending events. */
	bool channel_kept;
};

/* Fills `machine` and says what to do first. */
struct machine_step machine_start(struct machine *machine, const struct machine_past *past,
				  const struct protocol_request *request);

/* `request` is what stands now; PROTOCOL_NO_REQUEST if none or not readable. */
struct machine_step machine_handle(struct machine *machine, enum machine_input input,
				   const struct protocol_request *request);

/* "idle", "quiescing", "quiesced", "restoring". */
const char *machine_phase_name(enum machine_phase phase);

#endif
