/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/executor.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "engine/deadlines.h"
#include "base/domid-index.h"

/*
 * How long an agent may take to publish `ready` for a request that was not
 * armed ahead of time. A living agent takes milliseconds, also in a busy
 * guest; a dead one must not cost the guest its own time to suspend.
 */
#define ARM_TIMEOUT_US 2000000

enum progress {
	STEP_WAITING, /* for those that need it */
	STEP_ARMING, /* for its agent's `ready` */
	STEP_REQUESTED,
	STEP_OVER,
};

struct step_state {
	enum progress progress;
	enum mechanism mechanism; /* the one in use, after fallbacks */
	struct domain_id id;
	size_t waiting_for; /* steps that must be over first */
	bool armed;
	struct agent_terms terms; /* that its agent was told */
	bool quiesced;
	int prepare_error; /* negative: what prepare failed with */
};

struct executor {
	const struct plan *plan;
	const struct config *config;
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct journal *journal;
	struct step_state *states;
	struct domid_index by_domid; /* of the steps */
	size_t *ready; /* steps whose turn has come */
	size_t n_ready;
	size_t *asking; /* recorded as requested, and to be asked at once */
	size_t n_asking;
	size_t n_over;
	uint64_t deadline_us; /* of the whole suspend phase */
	struct deadlines *step_deadlines;
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
	size_t n = plan->n_steps;

	if (!x)
		return -ENOMEM;
	*x = (struct executor){
		.plan = plan,
		.config = context->config,
		.hypervisor = context->hypervisor,
		.loop = context->loop,
		.journal = context->journal,
		.states = calloc(n + 1, sizeof(*x->states)),
		.ready = calloc(n + 1, sizeof(*x->ready)),
		.asking = calloc(n + 1, sizeof(*x->asking)),
		.deadline_us = LOOP_FOREVER,
		.step_deadlines = deadlines_new(n),
	};
	if (!x->states || !x->ready || !x->asking || !x->step_deadlines)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct step *step = &plan->steps[i];

		x->states[i] = (struct step_state){
			.mechanism = step->mechanism,
			.id = domain_id_of(&plan->inventory.guests[step->guest]),
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
	free(executor->states);
	domid_index_done(&executor->by_domid);
	free(executor->ready);
	free(executor->asking);
	deadlines_free(executor->step_deadlines);
	free(executor);
}

void executor_freep(struct executor **executor)
{
	executor_free(*executor);
	*executor = NULL;
}

static const struct guest *guest_of(const struct executor *x, size_t i)
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

/* The step is over, whatever came of it: those it held up may go. */
static void step_is_over(struct executor *x, size_t i)
{
	struct graph_nodes needs = graph_needs(x->plan->graph, x->plan->steps[i].guest);

	x->states[i].progress = STEP_OVER;
	deadlines_set(x->step_deadlines, i, DEADLINE_NEVER);
	x->n_over++;
	for (size_t j = 0; j < needs.n_nodes; j++) {
		size_t next = x->plan->step_of_guest[needs.nodes[j]];

		if (--x->states[next].waiting_for == 0 && x->states[next].progress == STEP_WAITING)
			x->ready[x->n_ready++] = next;
	}
}

/* Whether the agent has said something about this cycle, and what. */
static bool read_agent(struct executor *x, size_t i, struct agent_state *ret)
{
	return x->hypervisor->ops->get_agent_state(x->hypervisor, &x->states[i].id, ret) == 0 &&
	       ret->state.cycle == cycle_number(x);
}

static int note_quiesced(struct executor *x, size_t i)
{
	if (x->states[i].quiesced)
		return 0;
	x->states[i].quiesced = true;
	return record(x, RECORD_QUIESCED, i, "");
}

static int step_is_down(struct executor *x, size_t i)
{
	struct agent_state look;
	int r = 0;

	/* On a busy host the agent's last word is seen only now. */
	if (x->states[i].mechanism == MECHANISM_AGENT && read_agent(x, i, &look) &&
	    look.state.state == PROTOCOL_AGENT_QUIESCED)
		r = note_quiesced(x, i);
	if (r == 0)
		r = record(x, RECORD_SUSPENDED, i, "");
	/* A failure leaves a subscription that the next start-up clears. */
	x->hypervisor->ops->unsubscribe(x->hypervisor, &x->states[i].id);
	step_is_over(x, i);
	return r;
}

static int step_is_gone(struct executor *x, size_t i)
{
	int r = record(x, RECORD_GONE, i, "");

	if (r == 0)
		r = record(x, RECORD_FAIL, i, "shut down meanwhile");
	step_is_over(x, i);
	return r;
}

/* ---- failing ------------------------------------------------------------ */

static int pause_step(struct executor *x, size_t i, const char *reason)
{
	char text[128];
	int r = record(x, RECORD_PAUSE, i, reason ? reason : "");
	int paused;

	if (r < 0)
		return r;
	paused = x->hypervisor->ops->pause(x->hypervisor, &x->states[i].id);
	if (paused == 0) {
		r = record(x, RECORD_PAUSED, i, "");
	} else if (paused == -ESRCH) {
		return step_is_gone(x, i);
	} else {
		snprintf(text, sizeof(text), "could not be paused: %s", strerror(-paused));
		r = record(x, RECORD_FAIL, i, text);
	}
	step_is_over(x, i);
	return r;
}

/*
 * Takes the request back. Returns 1 if the guest went down after all (it is
 * done then), 0, or a negative errno.
 */
static int retract_step(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	struct domain_state look;
	int r;

	r = x->hypervisor->ops->retract(x->hypervisor, &state->id, state->mechanism,
					cycle_number(x));
	if (r == RETRACTED)
		return record(x, RECORD_RETRACTED, i, "");
	if (r == RETRACT_TOO_LATE)
		r = record(x, RECORD_ACKNOWLEDGED, i, "");
	else
		r = record(x, RECORD_ACKNOWLEDGED, i, "the request could not be taken back");
	if (r < 0 || x->hypervisor->ops->get_state(x->hypervisor, &state->id, &look) < 0 ||
	    look.state != GUEST_SUSPENDED)
		return r;
	r = step_is_down(x, i);
	return r < 0 ? r : 1;
}

/* The guest did not go down, for `reason`: what the owner wants then. */
static int fail_step(struct executor *x, size_t i, const char *reason)
{
	const struct step *step = &x->plan->steps[i];
	char text[CYCLE_DETAIL_MAX];
	int r = 0;

	if (x->states[i].progress == STEP_REQUESTED)
		r = retract_step(x, i);
	if (r != 0)
		return r < 0 ? r : 0;
	if (x->past_deadline || step->on_failure == ON_FAILURE_PAUSE)
		return pause_step(x, i, reason);
	r = record(x, RECORD_FAIL, i, reason);
	step_is_over(x, i);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%s %s", guest_of(x, i)->name, reason);
	return executor_abort(x, text);
}

int executor_abort(struct executor *x, const char *reason)
{
	if (x->aborted)
		return 0;
	x->aborted = true;
	return record(x, RECORD_ABORT, 0, reason);
}

/* ---- asking ------------------------------------------------------------- */

/*
 * A guest that had to wait long for others has less time left than its agent
 * was told. What an agent keeps back for itself is no reason to tell it again.
 */
static void tell_time_left(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	uint64_t told_us = state->terms.timeout_us;
	uint64_t now_us = loop_now(x->loop);
	uint64_t left_us = x->deadline_us > now_us ? x->deadline_us - now_us : 0;

	if (state->mechanism != MECHANISM_AGENT ||
	    left_us >= told_us - told_us / PROTOCOL_TIMEOUT_RESERVE)
		return;
	state->terms.timeout_us =
		left_us > PROTOCOL_TIMEOUT_MIN_US ? left_us : PROTOCOL_TIMEOUT_MIN_US;
	/* One that is not told fails at the deadline, later than it would. */
	x->hypervisor->ops->arm(x->hypervisor, &state->id, cycle_number(x), &state->terms);
}

static int begin_request(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	int r;

	tell_time_left(x, i);
	r = record(x, RECORD_REQUEST, i, "");
	if (r < 0)
		return r;
	state->progress = STEP_REQUESTED;
	deadlines_set(x->step_deadlines, i, loop_now(x->loop) + x->plan->steps[i].timeout_us);
	x->asking[x->n_asking++] = i;
	return 0;
}

static int ask(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	char text[160];
	int r;

	/* Another's failure has ended the cycle meanwhile. */
	if (x->aborted)
		return record(x, RECORD_RETRACTED, i, "");
	r = x->hypervisor->ops->request(x->hypervisor, &state->id, state->mechanism);
	if (r == -ESRCH)
		return step_is_gone(x, i);
	if (r < 0) {
		snprintf(text, sizeof(text), "could not be asked to suspend: %s", strerror(-r));
		return fail_step(x, i, text);
	}
	return 0;
}

/*
 * Whoever is asked begins to work at once and competes with us for processors:
 * all else that a request takes is done before the first of them is asked.
 */
static int ask_all(struct executor *x)
{
	size_t n = x->n_asking;
	int r = 0;

	x->n_asking = 0;
	for (size_t k = 0; k < n; k++) {
		struct step_state *state = &x->states[x->asking[k]];

		/* What goes wrong is told when it is asked. */
		x->hypervisor->ops->subscribe(x->hypervisor, &state->id, state->mechanism);
	}
	for (size_t k = 0; k < n && r == 0; k++)
		r = ask(x, x->asking[k]);
	return r;
}

/*
 * The guest's kernel is asked instead of its agent. That is worth a word,
 * `reason`, unless it is as its owner wants it (NULL).
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
	r = x->hypervisor->ops->prepare(x->hypervisor, guest_of(x, i), state->mechanism);
	state->prepare_error = r < 0 ? r : 0;
	return 0;
}

static int start_step(struct executor *x, size_t i)
{
	const struct step *step = &x->plan->steps[i];
	struct step_state *state = &x->states[i];
	char text[160];
	int r;

	if (state->prepare_error == -ESRCH)
		return step_is_gone(x, i);
	if (state->prepare_error < 0) {
		snprintf(text, sizeof(text), "could not be prepared: %s",
			 strerror(-state->prepare_error));
		return fail_step(x, i, text);
	}
	switch (state->mechanism) {
	case MECHANISM_NONE:
		r = record(x, RECORD_SKIP, i, step->reason);
		step_is_over(x, i);
		return r;
	case MECHANISM_PAUSE:
		return pause_step(x, i, step->reason);
	case MECHANISM_AGENT:
		if (state->armed)
			return begin_request(x, i);
		state->progress = STEP_ARMING;
		deadlines_set(x->step_deadlines, i, loop_now(x->loop) + ARM_TIMEOUT_US);
		return 0;
	default:
		return begin_request(x, i);
	}
}

static int start_ready_steps(struct executor *x)
{
	int r = 0;

	/* Whoever is gone when he is asked may be the last that others wait
	 * for. */
	while ((x->n_ready > 0 || x->n_asking > 0) && r == 0) {
		while (x->n_ready > 0 && !x->aborted && r == 0)
			r = start_step(x, x->ready[--x->n_ready]);
		if (r == 0)
			r = ask_all(x);
		if (x->aborted)
			x->n_ready = 0;
	}
	return r;
}

/* ---- the owner's calls -------------------------------------------------- */

/* An agent that answers for this cycle has nothing to be told any more. */
static bool is_armed(const struct executor *x, const struct guest_agent *agent)
{
	return agent->state.state == PROTOCOL_AGENT_READY &&
	       agent->state.cycle == cycle_number(x) && agent->request.verb == PROTOCOL_SUSPEND &&
	       agent->request.cycle == cycle_number(x);
}

static int prepare_step(struct executor *x, size_t i)
{
	const struct guest *guest = guest_of(x, i);
	struct step_state *state = &x->states[i];
	struct agent_terms terms = agent_terms_of(x->config, x->plan->steps[i].timeout_us);
	int r = x->hypervisor->ops->prepare(x->hypervisor, guest, state->mechanism);

	if (r == PREPARE_PORT_IS_STALE)
		return fall_back_to_xenstore(x, i, "its agent's event channel is stale");
	if (r == 0 && state->mechanism == MECHANISM_AGENT) {
		state->armed = is_armed(x, &guest->agent);
		state->terms = terms;
		/* One that is armed keeps its request, but not old terms. */
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

	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
		if (x->states[i].mechanism != MECHANISM_NONE)
			r = prepare_step(x, i);
	return r;
}

int executor_start(struct executor *x)
{
	x->deadline_us = loop_now(x->loop) + x->config->deadline_us;
	/* Taken from the end: the first of the plan must lie on top. */
	for (size_t i = x->plan->n_steps; i-- > 0;)
		if (x->states[i].waiting_for == 0)
			x->ready[x->n_ready++] = i;
	return start_ready_steps(x);
}

static int get_agent_state(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	struct agent_state look;
	char text[CYCLE_DETAIL_MAX];

	/* What cannot be read has not answered: the timeout decides. */
	if (!read_agent(x, i, &look))
		return 0;
	switch (look.state.state) {
	case PROTOCOL_AGENT_READY:
		state->armed = true;
		return state->progress == STEP_ARMING ? begin_request(x, i) : 0;
	case PROTOCOL_AGENT_QUIESCED:
		return state->progress == STEP_REQUESTED ? note_quiesced(x, i) : 0;
	case PROTOCOL_AGENT_FAILED:
		if (state->progress != STEP_REQUESTED)
			return 0;
		snprintf(text, sizeof(text), "agent: %.400s", look.detail);
		return fail_step(x, i, text);
	default:
		return 0;
	}
}

/* Looks at one guest that we wait for, and acts on what is seen. */
static int look_at_step(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	struct domain_state look;
	int r;

	if (state->progress == STEP_OVER ||
	    (state->progress == STEP_WAITING && state->mechanism != MECHANISM_AGENT))
		return 0;
	r = x->hypervisor->ops->get_state(x->hypervisor, &state->id, &look);
	if (r < 0)
		return 0; /* as with the agent: the timeout decides */
	switch (look.state) {
	case GUEST_SUSPENDED:
		return state->progress == STEP_REQUESTED ? step_is_down(x, i) : 0;
	case GUEST_SHUT_DOWN:
	case GUEST_DYING:
	case GUEST_GONE:
		return state->progress == STEP_WAITING ? 0 : step_is_gone(x, i);
	case GUEST_RUNNING:
	case GUEST_PAUSED:
		return state->mechanism == MECHANISM_AGENT ? get_agent_state(x, i) : 0;
	}
	return 0;
}

int executor_handle_event(struct executor *x, uint32_t domid)
{
	const struct domid_entry *entry;
	size_t n;
	int r = 0;

	if (x->aborted)
		return 0;
	if (domid == HYPERVISOR_ALL_DOMAINS) {
		for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
			r = look_at_step(x, i);
	} else {
		entry = domid_index_find(&x->by_domid, domid, &n);
		if (entry)
			r = look_at_step(x, entry->element);
	}
	return r < 0 ? r : start_ready_steps(x);
}

/* Pauses what still runs, dependents first, or gives up. */
static int handle_overall_deadline(struct executor *x)
{
	char text[CYCLE_DETAIL_MAX], seconds[32];
	int r = 0;

	snprintf(seconds, sizeof(seconds), "%.3g s", (double)x->config->deadline_us / 1e6);
	x->deadline_us = LOOP_FOREVER;
	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++) {
		if (x->states[i].progress == STEP_WAITING || x->states[i].progress == STEP_OVER)
			continue;
		r = look_at_step(x, i);
		if (r < 0 || x->states[i].progress == STEP_OVER)
			continue;
		snprintf(text, sizeof(text), "was not down at the deadline of %s", seconds);
		if (x->config->on_deadline == ON_FAILURE_PAUSE) {
			x->past_deadline = true;
			r = fail_step(x, i, text);
			continue;
		}
		snprintf(text, sizeof(text), "%s was not down at the deadline of %s",
			 guest_of(x, i)->name, seconds);
		return executor_abort(x, text);
	}
	/* What waited for those has no time left to suspend. */
	for (size_t i = 0; i < x->plan->n_steps && r == 0; i++)
		if (x->states[i].progress == STEP_WAITING)
			r = x->states[i].mechanism == MECHANISM_NONE
				    ? start_step(x, i)
				    : pause_step(x, i, "had no time left to suspend");
	x->n_ready = 0;
	return r;
}

static int handle_step_deadline(struct executor *x, size_t i)
{
	struct step_state *state = &x->states[i];
	char text[128];
	int r = look_at_step(x, i);

	if (r < 0 || state->progress == STEP_OVER ||
	    deadlines_get(x->step_deadlines, i) > loop_now(x->loop))
		return r;
	if (state->progress == STEP_ARMING) {
		snprintf(text, sizeof(text), "its agent did not answer in %.3g s",
			 ARM_TIMEOUT_US / 1e6);
		r = fall_back_to_xenstore(x, i, text);
		return r < 0 ? r : start_step(x, i);
	}
	snprintf(text, sizeof(text), "did not suspend within %.3g s",
		 (double)x->plan->steps[i].timeout_us / 1e6);
	return fail_step(x, i, text);
}

int executor_handle_time(struct executor *x)
{
	uint64_t now = loop_now(x->loop);
	size_t i;
	int r = 0;

	if (now < executor_deadline(x) || x->aborted)
		return 0;
	if (now >= x->deadline_us)
		return handle_overall_deadline(x);
	/* Each has none then, or a later one. */
	while (r == 0 && !x->aborted && deadlines_next(x->step_deadlines, &i) <= now)
		r = handle_step_deadline(x, i);
	return r < 0 ? r : start_ready_steps(x);
}

uint64_t executor_deadline(const struct executor *x)
{
	uint64_t step_us = deadlines_next(x->step_deadlines, NULL);

	return step_us < x->deadline_us ? step_us : x->deadline_us;
}

bool executor_is_finished(const struct executor *x)
{
	return x->aborted || x->n_over == x->plan->n_steps;
}
