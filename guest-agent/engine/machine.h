/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_MACHINE_H
#define GUEST_AGENT_ENGINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/protocol.h"

/*
 * The agent's side of the protocol in pmcoord/protocol.h, as a state machine without
 * I/O or clock: each input, together with the current request, gives a list of actions.
 * The caller reads the request again for each input: an event or a watch has no
 * meaning of its own.
 *
 *   idle ──event──> quiescing ──commit──> quiesced
 *    ^                  │ failed,            │ woken, timed out,
 *    │                  │ retracted          │ retracted
 *    └──── restored ─── restoring <──────────┘
 *
 * The current request is obeyed even if its cycle is lower than an earlier one: dom0
 * may have lost its counter. A cycle that this guest has completed is not repeated.
 */
enum machine_phase {
	MACHINE_IDLE,
	MACHINE_QUIESCING,
	MACHINE_QUIESCED,
	MACHINE_RESTORING,
};

enum machine_input {
	MACHINE_WATCH, /* a xenstore watch fired */
	MACHINE_EVENT, /* dom0 notified, or a spurious event */
	MACHINE_QUIESCE_DONE, /* the engine has quiesced the guest */
	MACHINE_QUIESCE_FAILED, /* the engine could not quiesce it */
	MACHINE_COMMITTED, /* `quiesced N` and control/shutdown are written */
	MACHINE_RETRACTED, /* the commit found another request */
	MACHINE_COMMIT_FAILED, /* xenstore refused the commit */
	MACHINE_WOKEN, /* the guest was suspended and has been resumed */
	MACHINE_TIMED_OUT, /* the kernel has not suspended in time */
	MACHINE_RESTORED, /* the engine has undone all effects */
	MACHINE_RESTORED_DEGRADED, /* the engine could not undo all effects */
};

/* To be performed in this order. */
enum machine_action {
	/* Clear the guest's own control/shutdown, unless the kernel has acknowledged it. */
	MACHINE_WITHDRAW = 1 << 0,
	/* Discard pending events, so that a later one refers to the state published next. */
	MACHINE_DRAIN = 1 << 1,
	/* Write `publish` to the state node. */
	MACHINE_PUBLISH = 1 << 2,
	/* Notify dom0. */
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
	/* The current cycle, unless idle. */
	uint64_t cycle;
	/* The state node in xenstore. */
	struct protocol_state published;
	/* `ready` was published for the current request, which was not acted on yet. */
	bool armed;
	/* The final state of the last cycle; PROTOCOL_AGENT_NONE before the first. */
	struct protocol_state done;
	/* While restoring: the guest was not suspended, so `failed` is published at the end. */
	bool failed;
};

/* What an agent finds when it starts. */
struct machine_past {
	/* The state node; PROTOCOL_AGENT_NONE if there is none. */
	struct protocol_state published;
	/* The final state of the last cycle, as recorded on /run. */
	struct protocol_state done;
	/* The previous agent died in `cycle` without undoing its effects. */
	bool unfinished;
	uint64_t cycle;
	/* The previous agent's event channel still exists, with its pending events. */
	bool channel_kept;
};

/* Initialises `machine`. Returns the first step. */
struct machine_step machine_start(struct machine *machine, const struct machine_past *past,
				  const struct protocol_request *request);

/*
 * Handles one input. `request` is the current one; PROTOCOL_NO_REQUEST if there is
 * none, or it cannot be read. Returns the step to perform.
 */
struct machine_step machine_handle(struct machine *machine, enum machine_input input,
				   const struct protocol_request *request);

#endif
