/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/executor.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/protocol.h"
#include "base/domid-index.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/graph.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "record/journal.h"
#include "engine/deadlines.h"

/*
 * How a guest passes through this module:
 *
 * executor_prepare binds the guest's event channel and writes the request of
 * this cycle for the guest's agent. The guest is STEP_WAITING until all guests
 * that need it are STEP_DONE.
 *
 * start_step then skips the guest (MECHANISM_NONE), pauses it (MECHANISM_PAUSE),
 * or starts a request. A guest that is shutting down is STEP_LEAVING until it is
 * gone. A guest whose agent has not published `ready` for this cycle is
 * STEP_ARMING until the agent does. After ARM_TIMEOUT_US the guest's kernel gets
 * the request instead.
 *
 * queue_request records the request and send_requests sends it. The guest is
 * STEP_REQUESTED until Xen reports the guest suspended, its agent reports a
 * failure, or the guest's timeout ends. An event only means that some state of
 * the guest may have changed, so check_step reads the states of the guest and its
 * agent.
 *
 * If another program, e.g. 'xl save', has requested the guest to suspend, the guest is
 * STEP_TAKEN. It is waited for, because guests that it needs must not be suspended before it, but
 * it is not touched.
 *
 * If the guest did not suspend, fail_step retracts the request, and then pauses
 * the guest or aborts the cycle, as configured. finish_step makes the guest
 * STEP_DONE. Guests that waited only for this guest are then ready to start.
 *
 * A guest that others have paused or suspended counts as suspended (skip_stopped).
 * It is looked at again before a guest that it needs is requested, and at the end.
 * If it runs again by then, reopen_step makes it STEP_WAITING again.
 */

/*
 * The longest time for which a guest is STEP_ARMING. An agent that runs publishes
 * `ready` within milliseconds, even in a busy guest. A longer wait for an agent
 * that does not run would use up the time until the overall deadline.
 */
#define ARM_TIMEOUT_US 2000000

/*
 * Xen reports neither that a domain was paused nor that it was unpaused, and an event
 * can be lost. So the state of a guest is also read this long after its step has
 * begun, then after twice this time, and so on: at most as much time is lost as the
 * guest has taken already.
 */
#define FIRST_LOOK_US 500000

/* How often the step of one guest is reopened at most, so that the cycle ends. */
#define REOPENED_MAX 2

#define PAUSED_BY_OTHERS "paused by its user or another program"

enum progress {
	STEP_WAITING, /* not started: guests that need this one are not STEP_DONE */
	STEP_LEAVING, /* not requested: it is shutting down */
	STEP_ARMING, /* not requested: its agent has not published `ready` */
	STEP_REQUESTED, /* the request is recorded, and sent unless it is in `unsent` */
	STEP_TAKEN, /* another program has requested it to suspend */
	STEP_DONE, /* with any outcome */
};

struct step_state {
	enum progress progress;
	enum mechanism mechanism; /* used now; differs from the plan's after a fallback */
	struct domain_id id;
	size_t waiting_for; /* number of guests that need this one and are not STEP_DONE */
	bool is_ready; /* its index is in `ready` */
	bool is_sent; /* the request was sent, and is not retracted */
	bool is_leaving; /* as the plan's */
	bool is_saved; /* another program was about to suspend it when the cycle began */
	bool is_stopped; /* STEP_DONE, because others have paused or suspended the guest */
	unsigned int n_reopened;
	char *failure; /* why it did not suspend, when it has to wait again before the pause; or
			  NULL */
	uint64_t timeout_at_us; /* end of ARM_TIMEOUT_US or of the step's timeout */
	uint64_t look_after_us; /* between the last look at the guest and the next one */
	bool armed; /* its agent has published `ready` for this cycle */
	struct agent_terms terms; /* timeout etc. last written for its agent */
	bool quiesced; /* RECORD_QUIESCED is written */
	bool was_requested; /* RECORD_REQUEST is written */
	bool is_taken; /* RECORD_TAKEN is written; STEP_TAKEN once its step has started */
	bool prepared; /* prepare_step was called */
	int prepare_error; /* negative errno of ops->prepare or ops->arm; 0: no error */
};

struct executor {
	const struct plan *plan;
	const struct config *config;
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct journal *journal;
	struct step_state *states;
	struct domid_index by_domid; /* index of `states` by domid */
	size_t *ready; /* stack of steps that can start now */
	size_t n_ready;
	size_t *unsent; /* steps whose request is recorded but not yet sent */
	size_t n_unsent;
	size_t n_done;
	/* The overall deadline; LOOP_FOREVER: not set yet, or passed already. */
	uint64_t deadline_us;
	struct deadlines *step_deadlines;
	/* The overall deadline has passed with OnDeadline=pause: fail_step pauses every guest. */
	bool past_deadline;
	bool aborted;
};

static uint32_t domid_at(const void *states, size_t i)
{
	return ((const struct step_state *)states)[i].id.domid;
}

int executor_new(const struct plan *plan, const struct coordinator *context,
		 struct executor **ret_executor)
{
	_cleanup_(executor_freep) struct executor *x = calloc(1, sizeof(*x));
	size_t n;

	assert(plan && context && ret_executor);
	assert(context->config && context->hypervisor && context->loop && context->journal);
	if (!x)
		return -ENOMEM;
	n = plan->n_steps;
	*x = (struct executor){
		.plan = plan,
		.config = context->config,
		.hypervisor = context->hypervisor,
		.loop = context->loop,
		.journal = context->journal,
		.states = calloc(n + 1, sizeof(*x->states)),
		.ready = calloc(n + 1, sizeof(*x->ready)),
		.unsent = calloc(n + 1, sizeof(*x->unsent)),
		.deadline_us = LOOP_FOREVER,
		.step_deadlines = deadlines_new(n),
	};
	if (!x->states || !x->ready || !x->unsent || !x->step_deadlines)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct step *step = &plan->steps[i];

		x->states[i] = (struct step_state){
			.mechanism = step->mechanism,
			.is_leaving = step->is_leaving,
			.is_saved = step->mechanism == MECHANISM_NONE && step->reason &&
				    strcmp(step->reason, PLAN_BEING_SAVED) == 0,
			.id = domain_id_of(&plan->inventory.guests[step->guest]),
			/* A guest is suspended only after all guests that it serves. */
			.waiting_for = graph_serves(plan->graph, step->guest).n_nodes,
		};
	}
	if (domid_index_make(&x->by_domid, x->states, n, domid_at) < 0)
		return -ENOMEM;
	*ret_executor = TAKE_PTR(x);
	return 0;
}

void executor_free(struct executor *executor)
{
	if (!executor)
		return;
	for (size_t i = 0; executor->states && i < executor->plan->n_steps; i++)
		free(executor->states[i].failure);
	free(executor->states);
	domid_index_done(&executor->by_domid);
	free(executor->ready);
	free(executor->unsent);
	deadlines_free(executor->step_deadlines);
	free(executor);
}

void executor_freep(struct executor **executor)
{
	executor_free(*executor);
	*executor = NULL;
}

static const struct guest *guest_at(const struct executor *x, size_t i)
{
	return &x->plan->inventory.guests[x->plan->steps[i].guest];
}

static uint64_t cycle_number(const struct executor *x)
{
	return journal_cycle(x->journal)->head.number;
}

static int record(struct executor *x, enum record_type type, size_t i, const char *text)
{
	return journal_record(x->journal, type, loop_now(x->loop), i, "%s", text);
}

/* Adds a step to the stack of steps that can start, unless it is there. */
static void push_ready(struct executor *x, size_t i)
{
	if (x->states[i].waiting_for > 0 || x->states[i].progress != STEP_WAITING ||
	    x->states[i].is_ready)
		return;
	x->states[i].is_ready = true;
	x->ready[x->n_ready++] = i;
}

/* Sets the timeout of a step, and the first look at the guest before it. */
static void set_timeout(struct executor *x, size_t i, uint64_t timeout_us)
{
	struct step_state *state = &x->states[i];
	uint64_t now_us = loop_now(x->loop);

	state->timeout_at_us = now_us + timeout_us;
	state->look_after_us = FIRST_LOOK_US;
	deadlines_set(x->step_deadlines, i,
		      now_us + (timeout_us < FIRST_LOOK_US ? timeout_us : FIRST_LOOK_US));
}

/* Ends a step with any outcome. Guests that waited only for this step become ready. */
static void finish_step(struct executor *x, size_t i)
{
	struct graph_nodes needs = graph_needs(x->plan->graph, x->plan->steps[i].guest);

	x->states[i].progress = STEP_DONE;
	deadlines_set(x->step_deadlines, i, DEADLINE_NEVER);
	x->n_done++;
	for (size_t j = 0; j < needs.n_nodes; j++) {
		size_t next = x->plan->step_of_guest[needs.nodes[j]];

		x->states[next].waiting_for--;
		push_ready(x, next);
	}
}

/*
 * Reads the agent's state. Returns false if the state cannot be read or is of
 * another cycle.
 */
static bool read_agent(struct executor *x, size_t i, struct agent_state *ret)
{
	return x->hypervisor->ops->get_agent_state(x->hypervisor, &x->states[i].id, ret) == 0 &&
	       ret->state.cycle == cycle_number(x);
}

static int record_quiesced(struct executor *x, size_t i)
{
	if (x->states[i].quiesced)
		return 0;
	x->states[i].quiesced = true;
	return record(x, RECORD_QUIESCED, i, "");
}

static int record_taken(struct executor *x, size_t i)
{
	char text[HYPERVISOR_TAKEN_SIZE];

	x->states[i].is_taken = true;
	/* The other program learns of the suspension only without our subscription. */
	if (x->states[i].progress == STEP_REQUESTED) {
		x->hypervisor->ops->unsubscribe(x->hypervisor, &x->states[i].id);
		x->states[i].progress = STEP_TAKEN;
	}
	return record(x, RECORD_TAKEN, i, hypervisor_format_taken(guest_at(x, i)->name, text));
}

/*
 * Records, as soon as it is seen, that another program has requested the guest to suspend. What
 * was seen before the suspension cannot be read any more afterwards.
 */
static int check_owner(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];

	if (state->mechanism != MECHANISM_XENSTORE || state->is_taken ||
	    (state->progress != STEP_WAITING && state->progress != STEP_REQUESTED) ||
	    x->hypervisor->ops->get_request_owner(x->hypervisor, &state->id, state->mechanism,
						  false) != REQUEST_OF_ANOTHER)
		return 0;
	return record_taken(x, i);
}

/*
 * Ends the step of a guest that another program has suspended. If our request stands, takes it
 * out: the guest would obey it after its resume.
 */
static int finish_taken(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	int r = state->is_taken ? 0 : record_taken(x, i);

	/* After 'xl save -c' it runs again. */
	state->is_stopped = true;
	if (state->was_requested)
		x->hypervisor->ops->retract(x->hypervisor, &state->id, state->mechanism,
					    cycle_number(x));
	finish_step(x, i);
	return r;
}

/* Records that another program was about to suspend the guest when the cycle began. */
static int record_if_saved(struct executor *x, size_t i)
{
	int r;

	if (!x->states[i].is_saved || x->states[i].is_taken)
		return 0;
	r = record(x, RECORD_SKIP, i, x->plan->steps[i].reason);
	return r < 0 ? r : record_taken(x, i);
}

/*
 * Whether a suspended guest has obeyed the request of another program. A guest that may have
 * obeyed an earlier request of ours has not taken the one that stands.
 */
static bool has_obeyed_another(struct executor *x, size_t i)
{
	const struct step_state *state = &x->states[i];

	return !journal_cycle(x->journal)->guests[i].had_earlier_request &&
	       hypervisor_is_taken(x->hypervisor, &state->id, state->mechanism, cycle_number(x),
				   state->quiesced);
}

/* Whether a suspended guest has obeyed a request of an earlier cycle, and needs no other. */
static bool has_suspended_late(struct executor *x, size_t i)
{
	return cycle_guest_may_suspend(&journal_cycle(x->journal)->guests[i]) &&
	       !x->hypervisor->ops->is_being_saved(x->hypervisor, &x->states[i].id);
}

static int record_suspended(struct executor *x, size_t i)
{
	struct agent_state agent;
	int r = 0;

	if (has_obeyed_another(x, i))
		return finish_taken(x, i);
	/*
	 * On a busy host the guest may be suspended before its agent's
	 * `quiesced` was read.
	 */
	if (x->states[i].mechanism == MECHANISM_AGENT && !x->states[i].quiesced &&
	    read_agent(x, i, &agent) && agent.state.state == PROTOCOL_AGENT_QUIESCED)
		r = record_quiesced(x, i);
	/*
	 * Unsubscribe before the record, because after a crash the resume of a guest
	 * that is recorded as suspended does not unsubscribe.
	 */
	x->hypervisor->ops->unsubscribe(x->hypervisor, &x->states[i].id);
	if (r == 0)
		r = record(x, RECORD_SUSPENDED, i, "");
	finish_step(x, i);
	return r;
}

static int record_gone(struct executor *x, size_t i, enum guest_end end)
{
	bool was_leaving = x->states[i].progress == STEP_LEAVING;
	int r = 0;

	/* An inventory may have shown it before. */
	if (journal_cycle(x->journal)->guests[i].gone == GUEST_NOT_ENDED)
		r = record(x, RECORD_GONE, i, guest_end_name(end));
	if (r == 0)
		r = record(x, was_leaving ? RECORD_SKIP : RECORD_FAIL, i,
			   was_leaving ? "has shut down" : "shut down before it was suspended");
	finish_step(x, i);
	return r;
}

/* ---- failing ------------------------------------------------------------ */

static int pause_guest(struct executor *x, size_t i, const char *reason)
{
	char text[128];
	int r = record(x, RECORD_PAUSE, i, reason);
	int paused;

	if (r < 0)
		return r;
	paused = x->hypervisor->ops->pause(x->hypervisor, &x->states[i].id);
	if (paused == 0) {
		r = record(x, RECORD_PAUSED, i, "");
	} else if (paused == -ESRCH) {
		return record_gone(x, i, GUEST_DESTROYED);
	} else {
		snprintf(text, sizeof(text), "could not be paused: %s", strerror(-paused));
		/* A pause that others make from now on must not be taken for ours. */
		r = record(x, RECORD_RETRACTED, i, "");
		if (r == 0)
			r = record(x, RECORD_FAIL, i, text);
	}
	finish_step(x, i);
	return r;
}

/*
 * Tries to retract the guest's request. If the guest turns out to be suspended,
 * ends its step and returns 1. Otherwise returns 0 or a negative errno.
 */
static int retract_step(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	struct domain_state observed;
	int r;

	/* A request that is only recorded must not be sent any more, see send_request. */
	if (!state->is_sent)
		return record(x, RECORD_RETRACTED, i, "");
	state->is_sent = false;
	r = x->hypervisor->ops->retract(x->hypervisor, &state->id, state->mechanism,
					cycle_number(x));
	if (r == RETRACTED)
		return record(x, RECORD_RETRACTED, i, "");
	if (r == RETRACT_TOO_LATE)
		r = record(x, RECORD_ACKNOWLEDGED, i, "");
	else
		r = record(x, RECORD_ACKNOWLEDGED, i, "the request could not be retracted");
	if (r < 0 || x->hypervisor->ops->get_state(x->hypervisor, &state->id, &observed) < 0 ||
	    observed.state != GUEST_SUSPENDED)
		return r;
	r = record_suspended(x, i);
	return r < 0 ? r : 1;
}

/*
 * Ends the step of a guest that others have paused or suspended: it counts as
 * suspended. Retracts its request, which would suspend the guest at a moment that
 * others choose.
 */
static int skip_stopped(struct executor *x, size_t i, const char *reason)
{
	struct step_state *state = &x->states[i];
	int r = state->progress == STEP_REQUESTED && state->is_sent ? retract_step(x, i) : 0;

	if (r != 0)
		return r < 0 ? r : 0;
	r = record(x, RECORD_SKIP, i, reason);
	state->is_stopped = true;
	finish_step(x, i);
	return r;
}

/*
 * Pauses a guest that is being built. Xen counts pauses: if its builder unpauses the
 * guest, it still does not run before the wake.
 */
static int hold_unbuilt(struct executor *x, size_t i)
{
	int r = record(x, RECORD_BEING_BUILT, i, "");

	return r < 0 ? r : pause_guest(x, i, "is being built; paused until the host wakes");
}

/*
 * Ends the step of a guest that does not run, whose `observed` state was just read.
 * Returns 1, 0 if the guest runs, or a negative errno.
 */
static int finish_if_stopped(struct executor *x, size_t i, const struct domain_state *observed)
{
	int r = 0;

	switch (observed->state) {
	case GUEST_RUNNING:
		return 0;
	case GUEST_PAUSED:
		r = observed->being_built ? hold_unbuilt(x, i)
					  : skip_stopped(x, i, PAUSED_BY_OTHERS);
		break;
	case GUEST_SUSPENDED:
		r = x->states[i].progress == STEP_REQUESTED || has_suspended_late(x, i)
			    ? record_suspended(x, i)
			    : finish_taken(x, i);
		break;
	case GUEST_SHUT_DOWN:
	case GUEST_DYING:
	case GUEST_GONE:
		r = record_gone(x, i, observed->end);
		break;
	}
	return r < 0 ? r : 1;
}

/*
 * Looks at a guest right before it is requested or paused, because its state may have
 * changed without an event. Returns as finish_if_stopped, and 0 if the state cannot be
 * read.
 */
static int look_before(struct executor *x, size_t i)
{
	struct domain_state observed;
	int r = x->hypervisor->ops->get_state(x->hypervisor, &x->states[i].id, &observed);

	return r < 0 ? 0 : finish_if_stopped(x, i, &observed);
}

static int reopen_dependents(struct executor *x, size_t i);

/*
 * Handles a guest that did not suspend. Retracts its request, if there is one,
 * and then pauses the guest or aborts the cycle, as OnFailure= says. If
 * past_deadline is set, always pauses the guest. A guest that another program
 * suspends is left as it is instead of paused.
 */
static int fail_step(struct executor *x, size_t i, const char *reason)
{
	const struct step *step = &x->plan->steps[i];
	bool pauses = x->past_deadline || step->on_failure == ON_FAILURE_PAUSE;
	char text[CYCLE_DETAIL_MAX];
	int r = 0;

	if (x->states[i].progress == STEP_REQUESTED)
		r = retract_step(x, i);
	if (r == 0)
		r = record_if_saved(x, i);
	if (r == 0)
		r = look_before(x, i);
	if (r == 0 && !x->past_deadline && !x->states[i].failure)
		r = reopen_dependents(x, i);
	if (r != 0)
		return r < 0 ? r : 0;
	if (x->states[i].waiting_for > 0 && !x->past_deadline) {
		/* A guest that needs this one runs again, and must be suspended first. */
		x->states[i].failure = strdup(reason);
		x->states[i].progress = STEP_WAITING;
		deadlines_set(x->step_deadlines, i, DEADLINE_NEVER);
		return x->states[i].failure ? 0 : -ENOMEM;
	}
	if (x->states[i].is_taken && pauses) {
		r = record(x, RECORD_DEGRADED, i, reason);
		finish_step(x, i);
		return r;
	}
	if (pauses)
		return pause_guest(x, i, reason);
	r = record(x, RECORD_FAIL, i, reason);
	finish_step(x, i);
	if (r < 0 || pauses)
		return r;
	snprintf(text, sizeof(text), "%s %s", guest_at(x, i)->name, reason);
	return executor_abort(x, text);
}

/* Records which of the requested guests are suspended, although no event has said so yet. */
static int record_all_suspended(struct executor *x)
{
	struct domain_state observed;
	int r = 0;

	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
		if (x->states[i].progress == STEP_REQUESTED && x->states[i].is_sent &&
		    x->hypervisor->ops->get_state(x->hypervisor, &x->states[i].id, &observed) ==
			    0 &&
		    observed.state == GUEST_SUSPENDED)
			r = record_suspended(x, i);
	return r;
}

int executor_abort(struct executor *x, const char *reason)
{
	int r;

	assert(x && reason);
	if (x->aborted)
		return 0;
	x->aborted = true;
	r = record_all_suspended(x);
	return r < 0 ? r : record(x, RECORD_ABORT, 0, reason);
}

/* ---- requests ----------------------------------------------------------- */

static int check_step(struct executor *x, size_t i);

/*
 * Limits the timeout of the guest's agent to the time that is left until the
 * overall deadline. The guest may have waited for other guests since the timeout
 * was written. Writes nothing if the difference is within the reserve that the
 * agent keeps (PROTOCOL_TIMEOUT_RESERVE).
 */
static void shorten_agent_timeout(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	uint64_t written_us = state->terms.timeout_us;
	uint64_t now_us = loop_now(x->loop);
	uint64_t left_us = x->deadline_us > now_us ? x->deadline_us - now_us : 0;

	if (state->mechanism != MECHANISM_AGENT ||
	    left_us >= written_us - written_us / PROTOCOL_TIMEOUT_RESERVE)
		return;
	state->terms.timeout_us =
		left_us > PROTOCOL_TIMEOUT_MIN_US ? left_us : PROTOCOL_TIMEOUT_MIN_US;
	/*
	 * If this fails, the agent keeps the longer timeout, but the overall
	 * deadline still ends the step.
	 */
	x->hypervisor->ops->arm(x->hypervisor, &state->id, cycle_number(x), &state->terms);
}

static int queue_request(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	int r;

	shorten_agent_timeout(x, i);
	r = record(x, RECORD_REQUEST, i, "");
	if (r < 0)
		return r;
	state->progress = STEP_REQUESTED;
	state->was_requested = true;
	set_timeout(x, i, x->plan->steps[i].timeout_us);
	x->unsent[x->n_unsent++] = i;
	return 0;
}

/*
 * Requests through xenstore from a guest whose PV drivers were loaded after the inventory.
 * Returns an enum request_outcome or a negative errno.
 */
static int request_from_drivers(struct executor *x, size_t i)
{
	const struct hypervisor_ops *ops = x->hypervisor->ops;
	struct step_state *state = &x->states[i];
	int r;

	state->mechanism = MECHANISM_XENSTORE;
	r = record(x, RECORD_MECHANISM, i, mechanism_name(state->mechanism));
	if (r == 0)
		r = ops->prepare(x->hypervisor, guest_at(x, i), state->mechanism);
	return r < 0 ? r : ops->request(x->hypervisor, &state->id, state->mechanism);
}

/* Ends the step of a guest that others have paused since its request was recorded. */
static int skip_unsent(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	int r;

	state->is_sent = state->was_requested = false;
	x->hypervisor->ops->unsubscribe(x->hypervisor, &state->id);
	r = record(x, RECORD_RETRACTED, i, "");
	return r < 0 ? r : skip_stopped(x, i, PAUSED_BY_OTHERS);
}

/*
 * Ends the step of a guest that has obeyed an earlier request since this cycle's was recorded: it
 * needs no other.
 */
static int finish_unsent(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	int r;

	state->is_sent = state->was_requested = false;
	r = record(x, RECORD_RETRACTED, i, "");
	return r < 0 ? r : record_suspended(x, i);
}

/* Handles a guest that is suspended, or that another program has requested to suspend. */
static int handle_taken(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	struct domain_state observed;
	int r;

	if (has_suspended_late(x, i) &&
	    x->hypervisor->ops->get_state(x->hypervisor, &state->id, &observed) == 0 &&
	    observed.state == GUEST_SUSPENDED)
		return finish_unsent(x, i);
	state->was_requested = false;
	r = record_taken(x, i);
	return r < 0 ? r : check_step(x, i);
}

static int send_request(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	char text[160];
	int r;

	/* The step has ended since its request was recorded. */
	if (state->progress != STEP_REQUESTED)
		return 0;
	/*
	 * An earlier guest's failure has aborted the cycle, so this recorded
	 * request must not be sent.
	 */
	if (x->aborted) {
		x->hypervisor->ops->unsubscribe(x->hypervisor, &state->id);
		return record(x, RECORD_RETRACTED, i, "");
	}
	state->is_sent = true;
	r = x->hypervisor->ops->request(x->hypervisor, &state->id, state->mechanism);
	if (r == REQUEST_HAS_DRIVERS)
		r = request_from_drivers(x, i);
	if (r == REQUEST_IS_TAKEN)
		return handle_taken(x, i);
	if (r == REQUEST_IS_PAUSED)
		return skip_unsent(x, i);
	if (r == -ESRCH)
		return record_gone(x, i, GUEST_DESTROYED);
	if (r < 0) {
		snprintf(text, sizeof(text), "could not be sent a suspend request: %s",
			 strerror(-r));
		return fail_step(x, i, text);
	}
	return 0;
}

/*
 * Sends the requests of the steps in `unsent`. Subscribes to the guests of all
 * these steps before the first request is sent, because guests that are
 * suspending compete with this process for the CPU.
 */
static int send_requests(struct executor *x)
{
	size_t n = x->n_unsent;
	int r = 0;

	x->n_unsent = 0;
	for (size_t k = 0; k < n; k++) {
		struct step_state *state = &x->states[x->unsent[k]];

		/* If this fails, ops->request subscribes or reports the failure. */
		if (state->progress == STEP_REQUESTED)
			x->hypervisor->ops->subscribe(x->hypervisor, &state->id, state->mechanism);
	}
	for (size_t k = 0; k < n && r == 0; k++)
		r = send_request(x, x->unsent[k]);
	return r;
}

/*
 * Changes the guest's mechanism from its agent to its kernel, which reads
 * requests from xenstore. `reason` is recorded for the report.
 */
static int fall_back_to_xenstore(struct executor *x, size_t i, const char *reason)
{
	struct step_state *state = &x->states[i];
	int r;

	state->mechanism = MECHANISM_XENSTORE;
	r = record(x, RECORD_MECHANISM, i, mechanism_name(state->mechanism));
	if (r == 0)
		r = record(x, RECORD_DEGRADED, i, reason);
	if (r < 0)
		return r;
	r = x->hypervisor->ops->prepare(x->hypervisor, guest_at(x, i), state->mechanism);
	state->prepare_error = r < 0 ? r : 0;
	return 0;
}

static int skip_step(struct executor *x, size_t i)
{
	const struct step *step = &x->plan->steps[i];
	int r = record(x, RECORD_SKIP, i, step->reason);

	x->states[i].is_stopped = step->is_stopped;
	finish_step(x, i);
	return r;
}

/* Begins to suspend a guest that runs, as its mechanism demands. */
static int suspend_step(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	const char *reason = x->plan->steps[i].reason;
	char text[160];

	if (state->prepare_error < 0) {
		snprintf(text, sizeof(text), "could not be prepared for a suspend request: %s",
			 strerror(-state->prepare_error));
		return fail_step(x, i, text);
	}
	if (state->mechanism == MECHANISM_PAUSE)
		return pause_guest(x, i, reason ? reason : "");
	if (state->mechanism != MECHANISM_AGENT || state->armed)
		return queue_request(x, i);
	state->progress = STEP_ARMING;
	set_timeout(x, i, ARM_TIMEOUT_US);
	return 0;
}

static int prepare_step(struct executor *x, size_t i);

/*
 * Makes the step of a guest that others had paused or suspended wait again if the
 * guest runs. The guests that it needs then wait for it again, unless they are
 * suspended already.
 */
static int reopen_step(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	struct graph_nodes needs = graph_needs(x->plan->graph, x->plan->steps[i].guest);
	struct guest guest = *guest_at(x, i);
	struct domain_state observed;
	const char *reason;

	if (!state->is_stopped || state->n_reopened == REOPENED_MAX ||
	    x->hypervisor->ops->get_state(x->hypervisor, &state->id, &observed) < 0 ||
	    observed.state != GUEST_RUNNING)
		return 0;
	state->is_stopped = false;
	state->n_reopened++;
	state->progress = STEP_WAITING;
	x->n_done--;
	for (size_t j = 0; j < needs.n_nodes; j++)
		x->states[x->plan->step_of_guest[needs.nodes[j]]].waiting_for++;
	push_ready(x, i);
	state->is_taken = state->is_saved = state->was_requested = false;
	if (state->mechanism != MECHANISM_NONE)
		return 0;
	guest.shutdown_node[0] = '\0';
	guest.state = GUEST_RUNNING;
	state->mechanism = plan_choose_mechanism(
		&guest, config_for_guest(x->config, guest.name).policy, &reason);
	if (state->mechanism == MECHANISM_NONE)
		return 0;
	prepare_step(x, i);
	return record(x, RECORD_MECHANISM, i, mechanism_name(state->mechanism));
}

/* Reopens the steps of the guests that need this one. */
static int reopen_dependents(struct executor *x, size_t i)
{
	struct graph_nodes serves = graph_serves(x->plan->graph, x->plan->steps[i].guest);
	int r = 0;

	for (size_t j = 0; j < serves.n_nodes && r == 0; j++)
		r = reopen_step(x, x->plan->step_of_guest[serves.nodes[j]]);
	return r;
}

static int start_step(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	int r;

	/* Its step has ended since it became ready, because the overall deadline has passed. */
	if (state->progress != STEP_WAITING)
		return 0;
	r = reopen_dependents(x, i);
	if (r < 0 || state->waiting_for > 0)
		return r;
	if (state->is_leaving)
		state->progress = STEP_LEAVING;
	if (state->prepare_error == -ESRCH)
		return record_gone(x, i, GUEST_DESTROYED);
	r = record_if_saved(x, i);
	if (r < 0)
		return r;
	if (state->mechanism == MECHANISM_NONE && !state->is_taken)
		return skip_step(x, i);
	if (x->past_deadline)
		return fail_step(x, i, "had no time left to suspend");
	if (state->is_taken)
		state->progress = STEP_TAKEN;
	r = look_before(x, i);
	if (r != 0)
		return r < 0 ? r : 0;
	if (state->failure)
		return fail_step(x, i, state->failure);
	if (!state->is_leaving && !state->is_taken)
		return suspend_step(x, i);
	set_timeout(x, i, x->plan->steps[i].timeout_us);
	return 0;
}

static size_t pop_ready(struct executor *x)
{
	size_t i = x->ready[--x->n_ready];

	x->states[i].is_ready = false;
	return i;
}

static int start_ready_steps(struct executor *x)
{
	int r = 0;

	/*
	 * The outer loop repeats, because send_requests can end a guest's step,
	 * e.g. if the guest is gone. Further guests may then be ready to start.
	 */
	do {
		while (x->n_ready > 0 && !x->aborted && r == 0)
			r = start_step(x, pop_ready(x));
		if (r == 0)
			r = send_requests(x);
		while (x->aborted && x->n_ready > 0)
			pop_ready(x);
		/* Each guest is suspended. Do those that others have stopped still not run? */
		for (size_t i = 0; i < x->plan->n_steps && r == 0 && !x->aborted; i++)
			r = x->n_done == x->plan->n_steps ? reopen_step(x, i) : 0;
	} while ((x->n_ready > 0 || x->n_unsent > 0) && r == 0);
	return r;
}

/* ---- preparation -------------------------------------------------------- */

/*
 * Whether this cycle's request was written ahead of time, and the agent has
 * published `ready` for it.
 */
static bool is_armed(const struct executor *x, const struct guest_agent *agent)
{
	return agent->state.state == PROTOCOL_AGENT_READY &&
	       agent->state.cycle == cycle_number(x) && agent->request.verb == PROTOCOL_SUSPEND &&
	       agent->request.cycle == cycle_number(x);
}

/*
 * A driver domain whose agent the plan cannot use is suspended with its devices in use:
 * records why. Ignored agents of other guests are reported by the plan alone.
 */
static int name_missing_agent(struct executor *x, size_t i)
{
	const struct step *step = &x->plan->steps[i];
	const struct guest *guest = guest_at(x, i);

	if (guest->role != GUEST_ROLE_DRIVER_DOMAIN || !guest->agent.present || !step->reason ||
	    step->mechanism == MECHANISM_AGENT || step->mechanism == MECHANISM_PAUSE)
		return 0;
	return record(x, RECORD_DEGRADED, i, step->reason);
}

static int fall_back_from_channel(struct executor *x, size_t i, enum prepare_outcome outcome)
{
	bool is_agent = x->states[i].mechanism == MECHANISM_AGENT;
	char text[96];

	snprintf(text, sizeof(text),
		 outcome == PREPARE_PORT_IS_BUSY
			 ? "another program of dom0 holds its %s's event channel"
			 : "its %s's event channel is stale",
		 is_agent ? "agent" : "kernel");
	return fall_back_to_xenstore(x, i, text);
}

static int prepare_step(struct executor *x, size_t i)
{
	const struct guest *guest = guest_at(x, i);
	struct step_state *state = &x->states[i];
	struct agent_terms terms = agent_terms_of(x->config, x->plan->steps[i].timeout_us);
	int r = name_missing_agent(x, i);

	state->prepared = true;
	if (r < 0)
		return r;
	r = x->hypervisor->ops->prepare(x->hypervisor, guest, state->mechanism);
	if (r == PREPARE_PORT_IS_STALE || r == PREPARE_PORT_IS_BUSY)
		return fall_back_from_channel(x, i, (enum prepare_outcome)r);
	if (r == 0 && state->mechanism == MECHANISM_AGENT) {
		state->armed = is_armed(x, &guest->agent);
		state->terms = terms;
		/*
		 * If the terms have changed, e.g. the timeout, write the request
		 * again for an agent that is armed already.
		 */
		if (!state->armed || !agent_terms_equal(&guest->agent.terms, &terms))
			r = x->hypervisor->ops->arm(x->hypervisor, &state->id, cycle_number(x),
						    &terms);
	}
	state->prepare_error = r < 0 ? r : 0;
	return 0;
}

int executor_prepare(struct executor *x)
{
	int r = 0;

	assert(x);
	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
		if (x->states[i].mechanism != MECHANISM_NONE)
			r = prepare_step(x, i);
	return r;
}

int executor_start(struct executor *x)
{
	assert(x && !x->aborted);
	x->deadline_us = loop_now(x->loop) + x->config->deadline_us;
	/*
	 * `ready` is a stack: push in reverse, so that the plan's first step is
	 * popped first.
	 */
	for (size_t i = x->plan->n_steps; i-- > 0;)
		push_ready(x, i);
	return start_ready_steps(x);
}

/* ---- newcomers ---------------------------------------------------------- */

/* Makes room for the steps that the plan has more than the executor. */
static int grow(struct executor *x, size_t n_old)
{
	size_t n = x->plan->n_steps;
	struct deadlines *deadlines = deadlines_new(n);
	struct step_state *states = reallocarray(x->states, n + 1, sizeof(*states));
	size_t *ready, *unsent;

	x->states = states ? states : x->states;
	ready = reallocarray(x->ready, n + 1, sizeof(*ready));
	x->ready = ready ? ready : x->ready;
	unsent = reallocarray(x->unsent, n + 1, sizeof(*unsent));
	x->unsent = unsent ? unsent : x->unsent;
	if (!deadlines || !states || !ready || !unsent) {
		deadlines_free(deadlines);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_old; i++)
		deadlines_set(deadlines, i, deadlines_get(x->step_deadlines, i));
	deadlines_free(x->step_deadlines);
	x->step_deadlines = deadlines;
	for (size_t i = n_old; i < n; i++)
		x->states[i] = (struct step_state){
			.mechanism = x->plan->steps[i].mechanism,
			.id = domain_id_of(guest_at(x, i)),
		};
	domid_index_done(&x->by_domid);
	return domid_index_make(&x->by_domid, x->states, n, domid_at);
}

static size_t count_waiting_for(const struct executor *x, size_t i)
{
	struct graph_nodes serves = graph_serves(x->plan->graph, x->plan->steps[i].guest);
	size_t n = 0;

	for (size_t j = 0; j < serves.n_nodes; j++)
		n += x->states[x->plan->step_of_guest[serves.nodes[j]]].progress != STEP_DONE;
	return n;
}

/*
 * Counts anew which guests each step waits for. A guest that a newcomer needs waits for the
 * newcomer, unless its request is recorded already.
 */
static void wait_for_newcomers(struct executor *x)
{
	x->n_ready = 0;
	for (size_t i = x->plan->n_steps; i-- > 0;) {
		struct step_state *state = &x->states[i];

		state->waiting_for = count_waiting_for(x, i);
		if (state->progress == STEP_ARMING && state->waiting_for > 0) {
			state->progress = STEP_WAITING;
			deadlines_set(x->step_deadlines, i, DEADLINE_NEVER);
		}
		if (state->progress == STEP_WAITING && state->waiting_for == 0)
			x->ready[x->n_ready++] = i;
	}
}

/* Pauses the newcomers, dependents first, because no time is left for requests. */
static int pause_newcomers(struct executor *x)
{
	int r = 0;

	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
		if (x->states[i].progress == STEP_WAITING)
			r = x->states[i].mechanism == MECHANISM_NONE
				    ? start_step(x, i)
				    : pause_guest(x, i, "had no time left to suspend");
	x->n_ready = 0;
	return r;
}

/* Begins the steps that were skipped, and are not since a newcomer needs to be suspended. */
static void reopen_steps(struct executor *x, size_t n_old)
{
	for (size_t i = 0; i < n_old; i++) {
		struct step_state *state = &x->states[i];

		if (state->mechanism != MECHANISM_NONE ||
		    x->plan->steps[i].mechanism == MECHANISM_NONE)
			continue;
		state->mechanism = x->plan->steps[i].mechanism;
		x->n_done -= state->progress == STEP_DONE;
		state->progress = STEP_WAITING;
	}
}

int executor_extend(struct executor *x, size_t n_old)
{
	int r;

	assert(x && n_old <= x->plan->n_steps);
	r = grow(x, n_old);
	reopen_steps(x, n_old);
	if (r < 0 || x->aborted)
		return r;
	if (x->deadline_us == LOOP_FOREVER)
		return pause_newcomers(x);
	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
		if (x->states[i].mechanism != MECHANISM_NONE && !x->states[i].prepared)
			r = prepare_step(x, i);
	if (r < 0)
		return r;
	wait_for_newcomers(x);
	return start_ready_steps(x);
}

bool executor_has_guest(const struct executor *x, uint32_t domid)
{
	size_t n;

	assert(x);
	return domid_index_find(&x->by_domid, domid, &n);
}

bool executor_is_past_deadline(const struct executor *x)
{
	assert(x);
	return x->deadline_us == LOOP_FOREVER;
}

/* ---- events and deadlines ----------------------------------------------- */

static int check_agent(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	struct agent_state agent;
	char text[CYCLE_DETAIL_MAX];

	/*
	 * If the agent has not published a state of this cycle, wait for the
	 * next event or the step's deadline.
	 */
	if (!read_agent(x, i, &agent))
		return 0;
	switch (agent.state.state) {
	case PROTOCOL_AGENT_READY:
		state->armed = true;
		return state->progress == STEP_ARMING ? queue_request(x, i) : 0;
	case PROTOCOL_AGENT_QUIESCED:
		return state->progress == STEP_REQUESTED ? record_quiesced(x, i) : 0;
	case PROTOCOL_AGENT_FAILED:
		if (state->progress != STEP_REQUESTED)
			return 0;
		snprintf(text, sizeof(text), "agent: %.400s", agent.detail);
		return fail_step(x, i, text);
	default:
		return 0;
	}
}

/*
 * Reads the states of the guest and of its agent, and acts on them. Does
 * nothing if the step is done, or if it has not begun and the guest has no
 * agent.
 */
static int check_step(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	struct domain_state observed;
	int r;

	r = check_owner(x, i);
	if (r < 0 || state->progress == STEP_DONE ||
	    (state->progress == STEP_WAITING && state->mechanism != MECHANISM_AGENT))
		return r;
	r = x->hypervisor->ops->get_state(x->hypervisor, &state->id, &observed);
	if (r < 0)
		return 0; /* the step's timeout remains */
	/* A guest that does not run yet is looked at again when its step starts. */
	r = state->progress == STEP_WAITING ? 0 : finish_if_stopped(x, i, &observed);
	if (r != 0 || observed.state != GUEST_RUNNING)
		return r < 0 ? r : 0;
	return state->mechanism == MECHANISM_AGENT && state->progress != STEP_TAKEN
		       ? check_agent(x, i)
		       : 0;
}

int executor_handle_event(struct executor *x, uint32_t domid)
{
	const struct domid_entry *entry;
	size_t n;
	int r = 0;

	assert(x);
	if (x->aborted)
		return 0;
	if (domid == HYPERVISOR_ALL_DOMAINS) {
		for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
			r = check_step(x, i);
	} else {
		entry = domid_index_find(&x->by_domid, domid, &n);
		if (entry)
			r = check_step(x, entry->element);
	}
	return r < 0 ? r : start_ready_steps(x);
}

/* Looks at the guests whose steps have begun, and skips those that the plan skips. */
static int finish_what_is_done(struct executor *x)
{
	int r = 0;

	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
		if (x->states[i].progress != STEP_WAITING)
			r = check_step(x, i);
	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
		if (x->states[i].progress == STEP_WAITING &&
		    x->states[i].mechanism == MECHANISM_NONE && !x->states[i].is_saved)
			r = skip_step(x, i);
	return r;
}

/*
 * Pauses the guests that may be paused now, i.e. that no running guest needs, or, if
 * `all` is set, all that are left. Returns the number of steps that are done then, or
 * a negative errno.
 */
static int pause_at_deadline(struct executor *x, const char *seconds, bool all)
{
	char text[CYCLE_DETAIL_MAX];
	int n = 0, r = 0;

	snprintf(text, sizeof(text), "did not suspend by the deadline of %s", seconds);
	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++) {
		const struct step_state *state = &x->states[i];

		if (state->progress == STEP_DONE || (state->waiting_for > 0 && !all))
			continue;
		r = fail_step(x, i,
			      state->progress == STEP_WAITING ? "had no time left to suspend"
							      : text);
		n += state->progress == STEP_DONE;
	}
	return r < 0 ? r : n;
}

/*
 * Handles the guests whose steps are not done: pauses them, dependents first, or aborts
 * the cycle, as OnDeadline= says. The steps of guests that have appeared meanwhile are
 * behind those of the guests that they need.
 */
static int handle_overall_deadline(struct executor *x)
{
	char text[CYCLE_DETAIL_MAX], seconds[32];
	int r = finish_what_is_done(x);

	snprintf(seconds, sizeof(seconds), "%.3g s", (double)x->config->deadline_us / 1e6);
	x->deadline_us = LOOP_FOREVER;
	x->past_deadline = x->config->on_deadline == ON_FAILURE_PAUSE;
	if (r < 0)
		return r;
	for (size_t i = 0; i < x->plan->n_steps && !x->past_deadline; i++) {
		if (x->states[i].progress == STEP_DONE)
			continue;
		snprintf(text, sizeof(text), "%s did not suspend by the deadline of %s",
			 guest_at(x, i)->name, seconds);
		return executor_abort(x, text);
	}
	if (!x->past_deadline)
		return 0;
	do
		r = pause_at_deadline(x, seconds, false);
	while (r > 0);
	return r < 0 ? r : pause_at_deadline(x, seconds, true);
}

static int handle_timeout(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	double timeout_s = (double)x->plan->steps[i].timeout_us / 1e6;
	char text[128];
	int r;

	switch (state->progress) {
	case STEP_ARMING:
		snprintf(text, sizeof(text), "its agent did not answer within %.3g s",
			 ARM_TIMEOUT_US / 1e6);
		r = fall_back_to_xenstore(x, i, text);
		return r < 0 ? r : suspend_step(x, i);
	case STEP_LEAVING:
		snprintf(text, sizeof(text), "is shutting down, and still runs after %.3g s",
			 timeout_s);
		return fail_step(x, i, text);
	default:
		snprintf(text, sizeof(text), "did not suspend within %.3g s", timeout_s);
		return fail_step(x, i, text);
	}
}

static int handle_step_deadline(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	uint64_t now_us = loop_now(x->loop), left_us;
	int r = check_step(x, i);

	if (r < 0 || state->progress == STEP_DONE || deadlines_get(x->step_deadlines, i) > now_us)
		return r;
	if (state->timeout_at_us <= now_us)
		return handle_timeout(x, i);
	left_us = state->timeout_at_us - now_us;
	state->look_after_us *= 2;
	deadlines_set(x->step_deadlines, i,
		      now_us + (left_us < state->look_after_us ? left_us : state->look_after_us));
	return 0;
}

int executor_handle_time(struct executor *x)
{
	uint64_t now;
	size_t i;
	int r = 0;

	assert(x);
	now = loop_now(x->loop);
	if (now < executor_deadline(x) || x->aborted)
		return 0;
	if (now >= x->deadline_us) {
		r = handle_overall_deadline(x);
		return r < 0 ? r : start_ready_steps(x);
	}
	/*
	 * This loop ends, because handle_step_deadline clears the step's
	 * deadline or sets a later one.
	 */
	while (r == 0 && !x->aborted && deadlines_next(x->step_deadlines, &i) <= now)
		r = handle_step_deadline(x, i);
	return r < 0 ? r : start_ready_steps(x);
}

uint64_t executor_deadline(const struct executor *x)
{
	uint64_t step_us;

	assert(x);
	step_us = deadlines_next(x->step_deadlines, NULL);
	return step_us < x->deadline_us ? step_us : x->deadline_us;
}

bool executor_is_finished(const struct executor *x)
{
	assert(x);
	return x->aborted || x->n_done == x->plan->n_steps;
}
