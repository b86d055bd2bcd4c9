/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_MACHINE_H
#define GUEST_AGENT_ENGINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/protocol.h"

/*
 * Decides what the agent does in the protocol of pmcoord/protocol.h. This is a state
 * machine without I/O or clock: an input and the current request determine the actions.
 * The caller reads the request again before it passes an event or a watch, because
 * events and watches carry no data.
 *
 *   idle ──event──> quiescing ──commit──> quiesced
 *    ^                  │ failed,            │ woken, not suspended,
 *    │                  │ retracted          │ retracted
 *    └──── restored ─── restoring <──────────┘
 *
 * The current request is obeyed even if its cycle number is lower than that of an
 * earlier request, because dom0 may have lost its counter. A cycle that this guest has
 * completed is not repeated.
 */
enum machine_phase {
	MACHINE_IDLE,
	MACHINE_QUIESCING,
	MACHINE_QUIESCED,
	MACHINE_RESTORING,
};

enum machine_input {
	MACHINE_WATCH, /* a xenstore watch has fired */
	MACHINE_EVENT, /* an event has arrived, from dom0 or spurious */
	MACHINE_QUIESCE_DONE, /* the engine has quiesced the guest */
	MACHINE_QUIESCE_FAILED, /* the engine could not quiesce the guest */
	MACHINE_COMMITTED, /* `quiesced N` and control/shutdown were written */
	MACHINE_RETRACTED, /* nothing was committed: the request had changed */
	MACHINE_COMMIT_FAILED, /* xenstore refused the commit */
	MACHINE_WOKEN, /* the guest was suspended and has been resumed */
	MACHINE_NOT_SUSPENDED, /* the kernel did not suspend in time, or the agent must stop */
	MACHINE_RESTORED, /* the engine has undone all effects */
	MACHINE_RESTORED_DEGRADED, /* the engine could not undo all effects */
};

/* What the caller must do, in this order. */
enum machine_action {
	/* Clear the guest's control/shutdown, unless the kernel has acknowledged the suspend. */
	MACHINE_WITHDRAW = 1 << 0,
	/* Discard pending events, so that the next event refers to the state in `publish`. */
	MACHINE_DRAIN = 1 << 1,
	/* Write the step's `publish` to the state node. */
	MACHINE_PUBLISH = 1 << 2,
	/* Send an event to dom0. */
	MACHINE_NOTIFY = 1 << 3,
	/* A step has at most one of the following three actions. */
	MACHINE_QUIESCE = 1 << 4,
	MACHINE_COMMIT = 1 << 5,
	MACHINE_RESTORE = 1 << 6,
};

struct machine_step {
	unsigned int actions; /* enum machine_action, combined by | */
	struct protocol_state publish;
};

struct machine {
	enum machine_phase phase;
	/* The number of the current cycle; unused while idle. */
	uint64_t cycle;
	/* The contents of the state node in xenstore. */
	struct protocol_state published;
	/*
	 * Whether `ready` was published for the current request. If so, the next event starts
	 * quiescing.
	 */
	bool armed;
	/* The final state of the last cycle; PROTOCOL_AGENT_NONE before the first. */
	struct protocol_state done;
	/*
	 * While restoring: whether the agent or the kernel has failed. If so, `failed` is
	 * published at the end, unless dom0's request has changed.
	 */
	bool failed;
};

/* What an agent process finds when it starts. */
struct machine_past {
	/* The contents of the state node; PROTOCOL_AGENT_NONE if it does not exist. */
	struct protocol_state published;
	/* The final state of the last cycle, as recorded on /run. */
	struct protocol_state done;
	/* Whether the previous agent died before it had undone all effects of cycle `cycle`. */
	bool unfinished;
	uint64_t cycle;
	/* Whether the previous agent's event channel still exists, with its pending events. */
	bool channel_kept;
};

/* Initialises `machine`. Returns the first step. */
struct machine_step machine_start(struct machine *machine, const struct machine_past *past,
				  const struct protocol_request *request);

/*
 * Handles one input. `request` is the current request; its verb is PROTOCOL_NO_REQUEST
 * if there is no valid request. Returns the step to perform.
 */
struct machine_step machine_handle(struct machine *machine, enum machine_input input,
				   const struct protocol_request *request);

#endif
