/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/machine.h"

#include <assert.h>

static const struct machine_step no_action = { 0 };

static bool asks_to_suspend(const struct protocol_request *request, uint64_t cycle)
{
	return request->verb == PROTOCOL_SUSPEND && request->cycle == cycle;
}

static bool is_done(const struct machine *machine, uint64_t cycle)
{
	return machine->done.state != PROTOCOL_AGENT_NONE && machine->done.cycle == cycle;
}

static bool same_state(const struct protocol_state *a, const struct protocol_state *b)
{
	return a->state == b->state && a->cycle == b->cycle;
}

static struct machine_step publish(struct machine *machine, enum protocol_agent_state state,
				   uint64_t cycle)
{
	machine->published.state = state;
	machine->published.cycle = cycle;
	return (struct machine_step){
		.actions = MACHINE_DRAIN | MACHINE_PUBLISH,
		.publish = machine->published,
	};
}

/*
 * Publishes the final state of the last cycle. If that state is `failed`, also sends an event,
 * because dom0 still waits for this guest.
 */
static struct machine_step publish_end(struct machine *machine)
{
	struct machine_step step = publish(machine, machine->done.state, machine->done.cycle);

	if (machine->done.state == PROTOCOL_AGENT_FAILED)
		step.actions |= MACHINE_NOTIFY;
	return step;
}

/*
 * Answers an abort while idle. From then on the aborted cycle counts as completed, even if
 * the guest was not quiesced in it. A degraded cycle remains degraded.
 */
static struct machine_step acknowledge_abort(struct machine *machine, uint64_t cycle)
{
	bool degraded = is_done(machine, cycle) && machine->done.state == PROTOCOL_AGENT_DEGRADED;

	machine->done.state = degraded ? PROTOCOL_AGENT_DEGRADED : PROTOCOL_AGENT_READY;
	machine->done.cycle = cycle;
	return publish(machine, machine->done.state, cycle);
}

/*
 * While idle, publishes the state that answers the current request, unless this state is
 * already published. An abort is always answered.
 */
static struct machine_step answer_request(struct machine *machine,
					  const struct protocol_request *request)
{
	static const struct protocol_state none = { PROTOCOL_AGENT_READY, 0 };
	struct machine_step step;

	if (request->verb == PROTOCOL_SUSPEND && machine->armed &&
	    machine->published.cycle == request->cycle)
		return no_action;
	machine->armed = false;
	switch (request->verb) {
	case PROTOCOL_SUSPEND:
		if (!is_done(machine, request->cycle)) {
			step = publish(machine, PROTOCOL_AGENT_READY, request->cycle);
			machine->armed = true;
			return step;
		}
		if (same_state(&machine->published, &machine->done))
			return no_action;
		return publish_end(machine);
	case PROTOCOL_ABORT:
		return acknowledge_abort(machine, request->cycle);
	case PROTOCOL_NO_REQUEST:
		break;
	}
	if (same_state(&machine->published, &none))
		return no_action;
	return publish(machine, none.state, none.cycle);
}

static struct machine_step restore(struct machine *machine, bool failed)
{
	machine->phase = MACHINE_RESTORING;
	machine->failed = failed;
	return (struct machine_step){ .actions = MACHINE_RESTORE };
}

static struct machine_step handle_idle(struct machine *machine, enum machine_input input,
				       const struct protocol_request *request)
{
	if (input == MACHINE_EVENT && machine->armed &&
	    asks_to_suspend(request, machine->published.cycle)) {
		machine->armed = false;
		machine->phase = MACHINE_QUIESCING;
		machine->cycle = request->cycle;
		return (struct machine_step){ .actions = MACHINE_QUIESCE };
	}
	if (input == MACHINE_EVENT || input == MACHINE_WATCH)
		return answer_request(machine, request);
	return no_action;
}

static struct machine_step handle_quiescing(struct machine *machine, enum machine_input input,
					    const struct protocol_request *request)
{
	switch (input) {
	case MACHINE_WATCH:
	case MACHINE_EVENT:
		if (asks_to_suspend(request, machine->cycle))
			return no_action;
		return restore(machine, false);
	case MACHINE_QUIESCE_DONE:
		return (struct machine_step){ .actions = MACHINE_COMMIT };
	case MACHINE_COMMITTED:
		machine->phase = MACHINE_QUIESCED;
		machine->published.state = PROTOCOL_AGENT_QUIESCED;
		machine->published.cycle = machine->cycle;
		return no_action;
	case MACHINE_RETRACTED:
		return restore(machine, false);
	case MACHINE_QUIESCE_FAILED:
	case MACHINE_COMMIT_FAILED:
	case MACHINE_NOT_SUSPENDED:
		return restore(machine, true);
	default:
		return no_action;
	}
}

static struct machine_step handle_quiesced(struct machine *machine, enum machine_input input,
					   const struct protocol_request *request)
{
	struct machine_step step;

	switch (input) {
	case MACHINE_WATCH:
	case MACHINE_EVENT:
		if (asks_to_suspend(request, machine->cycle))
			return no_action;
		step = restore(machine, false);
		/*
		 * An abort needs no withdrawal: dom0 clears control/shutdown in the transaction
		 * that writes the abort.
		 */
		if (request->verb != PROTOCOL_ABORT)
			step.actions |= MACHINE_WITHDRAW;
		return step;
	case MACHINE_WOKEN:
		return restore(machine, false);
	case MACHINE_NOT_SUSPENDED:
		step = restore(machine, true);
		step.actions |= MACHINE_WITHDRAW;
		return step;
	default:
		return no_action;
	}
}

static struct machine_step finish_cycle(struct machine *machine, bool degraded,
					const struct protocol_request *request)
{
	bool requested = asks_to_suspend(request, machine->cycle);

	machine->phase = MACHINE_IDLE;
	machine->done.cycle = machine->cycle;
	machine->done.state = machine->failed && requested ? PROTOCOL_AGENT_FAILED
			      : degraded		   ? PROTOCOL_AGENT_DEGRADED
							   : PROTOCOL_AGENT_READY;
	if (!requested)
		return answer_request(machine, request);
	return publish_end(machine);
}

static struct machine_step handle_restoring(struct machine *machine, enum machine_input input,
					    const struct protocol_request *request)
{
	switch (input) {
	case MACHINE_WOKEN:
		/* The kernel suspended the guest, but after the time limit. */
		machine->failed = false;
		return no_action;
	case MACHINE_RESTORED:
		return finish_cycle(machine, false, request);
	case MACHINE_RESTORED_DEGRADED:
		return finish_cycle(machine, true, request);
	default:
		return no_action;
	}
}

struct machine_step machine_handle(struct machine *machine, enum machine_input input,
				   const struct protocol_request *request)
{
	assert(machine && request);
	switch (machine->phase) {
	case MACHINE_QUIESCING:
		return handle_quiescing(machine, input, request);
	case MACHINE_QUIESCED:
		return handle_quiesced(machine, input, request);
	case MACHINE_RESTORING:
		return handle_restoring(machine, input, request);
	case MACHINE_IDLE:
		break;
	}
	return handle_idle(machine, input, request);
}

struct machine_step machine_start(struct machine *machine, const struct machine_past *past,
				  const struct protocol_request *request)
{
	bool quiesced = past->published.state == PROTOCOL_AGENT_QUIESCED &&
			past->published.cycle == past->cycle;

	assert(machine && request);
	*machine = (struct machine){ .done = past->done };
	/* The published state is valid only if its event channel still exists. */
	if (past->channel_kept)
		machine->published = past->published;
	if (past->unfinished) {
		struct machine_step step;

		machine->cycle = past->cycle;
		step = restore(machine, !quiesced);
		/*
		 * control/shutdown may still be set, if the previous agent died after its
		 * commit and before the kernel's acknowledgement.
		 */
		step.actions |= MACHINE_WITHDRAW;
		return step;
	}
	/*
	 * An event that arrived while no agent ran is pending in the channel. So if the
	 * previous agent was armed for the request, this agent is armed, too.
	 */
	machine->armed = past->channel_kept && past->published.state == PROTOCOL_AGENT_READY &&
			 request->verb == PROTOCOL_SUSPEND &&
			 request->cycle == past->published.cycle &&
			 !is_done(machine, request->cycle);
	return answer_request(machine, request);
}
