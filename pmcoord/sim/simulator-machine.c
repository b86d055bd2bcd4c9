/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/simulator-machine.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "sim/simulator-trace.h"

void sim_trace(const struct simulator *simulator, const struct sim_guest *guest, const char *word)
{
	sim_trace_write(simulator->trace_fd, simulator->now_us, word,
			guest ? guest->facts.name : "-");
}

void sim_step(struct simulator *simulator, bool has_changed)
{
	if (simulator->on_step)
		simulator->on_step(simulator, has_changed);
}

uint32_t sim_domid(const struct simulator *simulator, size_t guest)
{
	assert(guest < simulator->n_guests);
	return (uint32_t)(guest + 1 + simulator->guests[guest].reboots * simulator->n_guests);
}

/* ---- scheduled events ---------------------------------------------------- */

static bool is_earlier(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

int sim_schedule_event(struct simulator *simulator, const struct sim_event *event)
{
	struct sim_event *heap;
	size_t i = simulator->n_heap;

	assert(event->guest < simulator->n_guests);
	assert(event->type < SIM_N_EVENT_TYPES);
	if (array_grow(&simulator->heap, i, sizeof(*heap)) < 0)
		return -ENOMEM;
	heap = simulator->heap;
	simulator->n_heap++;
	for (; i > 0 && is_earlier(event, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = *event;
	return 0;
}

int sim_schedule(struct simulator *simulator, size_t guest, uint64_t delay_us,
		 enum sim_event_type type)
{
	struct sim_event event;

	assert(guest < simulator->n_guests);
	event = (struct sim_event){
		.at_us = simulator->now_us + delay_us,
		.order = simulator->next_order++,
		.guest = guest,
		.generation = simulator->guests[guest].generation,
		.type = type,
	};

	return sim_schedule_event(simulator, &event);
}

static struct sim_event pop_earliest(struct simulator *simulator)
{
	struct sim_event *heap = simulator->heap;
	struct sim_event earliest = heap[0];
	struct sim_event last = heap[--simulator->n_heap];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < simulator->n_heap) {
		if (child + 1 < simulator->n_heap && is_earlier(&heap[child + 1], &heap[child]))
			child++;
		if (!is_earlier(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return earliest;
}

/* ---- effects of events --------------------------------------------------- */

static void set_agent(struct sim_guest *guest, enum protocol_agent_state state)
{
	guest->facts.agent.state.state = state;
	guest->facts.agent.state.cycle = guest->facts.agent.request.cycle;
}

/* The answer to a request that was written while the agent restored is `ready`. */
static void set_restored(struct sim_guest *guest)
{
	const struct guest_agent *agent = &guest->facts.agent;
	bool is_degraded = guest->behaviour == SIM_RESUMES_DEGRADED &&
			   agent->state.cycle == agent->request.cycle;

	guest->restoring = false;
	set_agent(guest, is_degraded ? PROTOCOL_AGENT_DEGRADED : PROTOCOL_AGENT_READY);
}

static int boot(struct simulator *simulator, size_t i)
{
	struct sim_guest *guest = &simulator->guests[i];

	guest->boot_us = 0;
	guest->facts.feature_suspend = GUEST_FEATURE_YES;
	if (!guest->requested)
		return 0;
	/* A request in xenstore is acknowledged as soon as the kernel runs. */
	guest->requested = false;
	return sim_suspend_guest(simulator, i, MECHANISM_XENSTORE);
}

/* Gives the guest its second domain, as `xl reboot` does. */
static void reboot(struct simulator *simulator, size_t i)
{
	struct sim_guest *guest = &simulator->guests[i];

	guest->reboots = 1;
	guest->facts.domid = sim_domid(simulator, i);
	guest->facts.state = GUEST_RUNNING;
	guest->facts.shutdown_node[0] = '\0';
	guest->fate = SIM_STAYS;
	/* Pauses and requests end with the domain that they were made for. */
	guest->pauses = 0;
	guest->requested = guest->restoring = false;
	guest->generation++;
}

/*
 * Applies an event to its guest. *ret_signalled: whether next_event reports the
 * change. A change of an agent's state is reported only if the guest is
 * watched.
 */
static int apply_event(struct simulator *simulator, size_t i, enum sim_event_type type,
		       bool *ret_signalled)
{
	struct sim_guest *guest = &simulator->guests[i];

	*ret_signalled = guest->watched;
	switch (type) {
	case SIM_ARMED:
		set_agent(guest, PROTOCOL_AGENT_READY);
		return 0;
	case SIM_QUIESCED:
		set_agent(guest, PROTOCOL_AGENT_QUIESCED);
		return 0;
	case SIM_REFUSED:
		set_agent(guest, PROTOCOL_AGENT_FAILED);
		return 0;
	case SIM_RESTORED:
		set_restored(guest);
		return 0;
	case SIM_BOOTED:
		*ret_signalled = false;
		return boot(simulator, i);
	case SIM_USER_PAUSES:
		*ret_signalled = false;
		guest->pauses++;
		return 0;
	case SIM_REBOOTED:
		reboot(simulator, i);
		break;
	case SIM_APPEARS:
		guest->facts.state = GUEST_RUNNING;
		break;
	case SIM_SUSPENDED:
	case SIM_SAVED:
		guest->requested = false;
		guest->facts.state = GUEST_SUSPENDED;
		break;
	case SIM_DEAD:
	case SIM_GONE:
		guest->facts.state = GUEST_GONE;
		break;
	case SIM_N_EVENT_TYPES:
		break;
	}
	*ret_signalled = true;
	return 0;
}

/* The words for events in the trace. */
static const char *const event_words[] = {
	[SIM_ARMED] = "armed",	     [SIM_QUIESCED] = "quiesced", [SIM_SUSPENDED] = "suspended",
	[SIM_DEAD] = "died",	     [SIM_REFUSED] = "refused",	  [SIM_RESTORED] = "restored",
	[SIM_BOOTED] = "booted",     [SIM_SAVED] = "saved",	  [SIM_GONE] = "gone",
	[SIM_REBOOTED] = "rebooted", [SIM_APPEARS] = "appeared",  [SIM_USER_PAUSES] = "user-paused",
};
ENUM_COMPLETE(event_words, SIM_N_EVENT_TYPES - 1);

static int queue_change(struct simulator *simulator, uint32_t domid)
{
	if (simulator->first_changed == simulator->n_changed)
		simulator->first_changed = simulator->n_changed = 0;
	if (array_grow(&simulator->changed, simulator->n_changed, sizeof(*simulator->changed)) < 0)
		return -ENOMEM;
	simulator->changed[simulator->n_changed++] = domid;
	return 0;
}

static bool is_guest_activity(enum sim_event_type type)
{
	return type < SIM_SAVED;
}

/*
 * Whether an event must be ignored, because the guest is gone, has already
 * appeared, its request was retracted, or its agent restores.
 */
static bool is_obsolete(const struct sim_guest *guest, const struct sim_event *event)
{
	if (event->type == SIM_APPEARS)
		return guest->facts.state != GUEST_GONE;
	if (guest->facts.state == GUEST_GONE)
		return event->type != SIM_REBOOTED;
	/* After its resume, an agent that was suspended begins its restore anew. */
	if (event->type == SIM_RESTORED)
		return !guest->restoring || guest->facts.state == GUEST_SUSPENDED;
	if (event->type == SIM_ARMED && guest->restoring)
		return true;
	return is_guest_activity(event->type) && event->type != SIM_BOOTED &&
	       event->generation != guest->generation;
}

static int defer_event(struct simulator *simulator, const struct sim_event *event)
{
	if (array_grow(&simulator->deferred, simulator->n_deferred, sizeof(*simulator->deferred)) <
	    0)
		return -ENOMEM;
	simulator->deferred[simulator->n_deferred++] = *event;
	return 0;
}

static int process_event(struct simulator *simulator)
{
	struct sim_event event = pop_earliest(simulator);
	struct sim_guest *guest = &simulator->guests[event.guest];
	bool signalled = false;
	int r;

	if (event.at_us > simulator->now_us)
		simulator->now_us = event.at_us;
	if (is_obsolete(guest, &event))
		return 0;
	if (guest->pauses > 0 && is_guest_activity(event.type))
		return defer_event(simulator, &event);
	sim_trace(simulator, guest, ENUM_NAME(event_words, event.type));
	r = apply_event(simulator, event.guest, event.type, &signalled);
	/* A guest that was rebooted has another domain now. */
	return r < 0 || !signalled ? r : queue_change(simulator, guest->facts.domid);
}

int sim_run_deferred(struct simulator *simulator, size_t guest)
{
	size_t kept = 0;
	int r = 0;

	assert(guest < simulator->n_guests);
	for (size_t i = 0; i < simulator->n_deferred; i++) {
		struct sim_event *event = &simulator->deferred[i];

		if (event->guest != guest || r < 0) {
			simulator->deferred[kept++] = *event;
			continue;
		}
		event->at_us = simulator->now_us;
		r = sim_schedule_event(simulator, event);
	}
	simulator->n_deferred = kept;
	return r;
}

/* ---- events of the scenario ---------------------------------------------- */

static int schedule_guest(struct simulator *simulator, size_t i)
{
	const struct sim_guest *guest = &simulator->guests[i];
	const struct {
		bool happens;
		uint64_t after_us;
		enum sim_event_type type;
	} events[] = {
		{ guest->boot_us > 0, guest->boot_us, SIM_BOOTED },
		{ guest->fate == SIM_IS_SAVED, guest->suspend_us, SIM_SAVED },
		{ guest->fate != SIM_STAYS, guest->leave_us, SIM_GONE },
		{ guest->fate == SIM_REBOOTS, guest->leave_us, SIM_REBOOTED },
		{ guest->appears_us != SIM_NEVER, guest->appears_us, SIM_APPEARS },
		{ guest->destroyed_us != SIM_NEVER, guest->destroyed_us, SIM_GONE },
		{ guest->user_pauses_us != SIM_NEVER, guest->user_pauses_us, SIM_USER_PAUSES },
	};
	int r = 0;

	for (size_t j = 0; j < ELEMENTSOF(events) && r == 0; j++)
		if (events[j].happens)
			r = sim_schedule(simulator, i, events[j].after_us, events[j].type);
	return r;
}

int sim_start_scenario(struct simulator *simulator)
{
	int r = 0;

	if (simulator->started)
		return 0;
	simulator->started = true;
	for (size_t i = 0; i < simulator->n_guests && r == 0; i++)
		r = schedule_guest(simulator, i);
	return r;
}

/* ---- suspend ------------------------------------------------------------- */

/* Whether the guest has a receiver for requests by this mechanism. */
static bool can_receive(const struct sim_guest *guest, enum mechanism mechanism)
{
	switch (mechanism) {
	case MECHANISM_EVENT_CHANNEL:
		return guest->facts.kernel_port != 0;
	case MECHANISM_XENSTORE:
		return guest->boot_us == 0 && guest->facts.feature_suspend != GUEST_FEATURE_NO &&
		       (guest->facts.type != GUEST_HVM || guest->facts.has_pv_drivers);
	case MECHANISM_AGENT:
		return guest->behaviour != SIM_AGENT_IS_DEAD;
	default:
		return true;
	}
}

/* Schedules the guest's reaction to a request that it has received. */
static int handle_request(struct simulator *simulator, size_t i, bool by_agent)
{
	const struct sim_guest *guest = &simulator->guests[i];
	uint64_t quiesce_us = by_agent ? guest->quiesce_us : 0;
	int r = 0;

	switch (guest->behaviour) {
	case SIM_HANGS_AFTER_ACK:
		return 0;
	case SIM_DIES:
		return sim_schedule(simulator, i, quiesce_us + guest->suspend_us, SIM_DEAD);
	case SIM_REFUSES:
		return by_agent ? sim_schedule(simulator, i, quiesce_us, SIM_REFUSED) : 0;
	case SIM_SUSPENDS_LATE:
		/* Late or not, an agent publishes that it has quiesced. */
		if (by_agent)
			r = sim_schedule(simulator, i,
					 quiesce_us < guest->late_us ? quiesce_us : guest->late_us,
					 SIM_QUIESCED);
		return r < 0 ? r : sim_schedule(simulator, i, guest->late_us, SIM_SUSPENDED);
	default:
		break;
	}
	if (by_agent)
		r = sim_schedule(simulator, i, quiesce_us, SIM_QUIESCED);
	return r < 0 ? r
		     : sim_schedule(simulator, i, quiesce_us + guest->suspend_us, SIM_SUSPENDED);
}

int sim_suspend_guest(struct simulator *simulator, size_t i, enum mechanism mechanism)
{
	struct sim_guest *guest;

	assert(i < simulator->n_guests);
	guest = &simulator->guests[i];
	if (mechanism == MECHANISM_HVM)
		sim_trace(simulator, guest, "acknowledged");
	/*
	 * With MECHANISM_HVM, Xen suspends the guest without its kernel, so
	 * `behaviour` has no effect.
	 */
	if (mechanism == MECHANISM_HVM)
		return sim_schedule(simulator, i, guest->suspend_us, SIM_SUSPENDED);
	if (!can_receive(guest, mechanism) || guest->behaviour == SIM_IGNORES_REQUESTS) {
		guest->requested = mechanism == MECHANISM_XENSTORE;
		return 0;
	}
	sim_trace(simulator, guest, "acknowledged");
	return handle_request(simulator, i, mechanism == MECHANISM_AGENT);
}

/* ---- the virtual clock --------------------------------------------------- */

static struct simulator *loop_simulator(struct loop *loop)
{
	return container_of(loop, struct simulator, loop);
}

static uint64_t sim_now(struct loop *loop)
{
	return loop_simulator(loop)->now_us;
}

/*
 * Handles scheduled events, and advances the clock to each, until next_event
 * has a change to report or the deadline is reached. Then handles the other
 * events of the same time, as on a busy host, where several events may have
 * happened when a wait ends. Returns -EDEADLK if the wait would never end.
 */
static int advance(struct simulator *simulator, uint64_t deadline_us)
{
	int r = 0;

	while (r == 0 && simulator->n_heap > 0 &&
	       simulator->first_changed == simulator->n_changed &&
	       simulator->heap[0].at_us <= deadline_us)
		r = process_event(simulator);
	while (r == 0 && simulator->n_heap > 0 && simulator->heap[0].at_us <= simulator->now_us)
		r = process_event(simulator);
	if (r < 0 || simulator->first_changed < simulator->n_changed)
		return r;
	if (deadline_us == LOOP_FOREVER)
		return -EDEADLK;
	if (deadline_us > simulator->now_us)
		simulator->now_us = deadline_us;
	return 0;
}

static int sim_wait(struct loop *loop, uint64_t deadline_us)
{
	struct simulator *simulator = loop_simulator(loop);
	int r = sim_start_scenario(simulator);

	if (r == 0)
		r = advance(simulator, deadline_us);
	sim_step(simulator, true);
	return r;
}

static void sim_loop_free(struct loop *loop)
{
	(void)loop; /* part of struct simulator, freed by sim_close */
}

static const struct loop_ops sim_loop_ops = {
	.free = sim_loop_free,
	.now = sim_now,
	.wait = sim_wait,
};

/* ---- the host's sleep ---------------------------------------------------- */

static struct simulator *sleeper_simulator(struct sleeper *sleeper)
{
	return container_of(sleeper, struct simulator, sleeper);
}

static int sim_sleep_prepare(struct sleeper *sleeper, struct error *error)
{
	if (!sleeper_simulator(sleeper)->offers_s3)
		return error_refuse(
			error, OUTCOME_UNSUPPORTED,
			"the simulated host offers no suspend to RAM (S3=no in the scenario)");
	return 0;
}

/*
 * Advances the clock and delays all events by the slept time, because nothing
 * runs while the host sleeps.
 */
static int sim_sleep_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
			   struct error *error)
{
	struct simulator *simulator = sleeper_simulator(sleeper);

	(void)loop;
	if (simulator->refuses_s3) {
		sim_trace(simulator, NULL, "sleep-refused");
		return error_set(
			error, -EBUSY,
			"the simulated kernel refused to sleep (S3=refuse in the scenario)");
	}
	sim_trace(simulator, NULL, "sleep");
	simulator->now_us += simulator->sleep_us;
	for (size_t i = 0; i < simulator->n_heap; i++)
		simulator->heap[i].at_us += simulator->sleep_us;
	sim_trace(simulator, NULL, "wake");
	sim_step(simulator, true);
	*ret_slept_us = simulator->sleep_us;
	snprintf(sleeper->state, sizeof(sleeper->state), "%s", SLEEP_STATE_S3);
	return 0;
}

static void sim_sleep_finish(struct sleeper *sleeper)
{
	(void)sleeper;
}

static void sim_sleeper_free(struct sleeper *sleeper)
{
	(void)sleeper; /* part of struct simulator, freed by sim_close */
}

static const struct sleeper_ops sim_sleeper_ops = {
	.free = sim_sleeper_free,
	.prepare = sim_sleep_prepare,
	.enter = sim_sleep_enter,
	.finish = sim_sleep_finish,
};

/* ---- verbs that fail ----------------------------------------------------- */

static const char *const sim_verb_names[] = {
	[SIM_INVENTORY] = "inventory",
	[SIM_EXAMINE] = "examine",
	[SIM_LIST_DOMAINS] = "list-domains",
	[SIM_PREPARE] = "prepare",
	[SIM_ARM] = "arm",
	[SIM_REQUEST] = "request",
	[SIM_RETRACT] = "retract",
	[SIM_GET_STATE] = "look",
	[SIM_GET_AGENT_STATE] = "look-at-agent",
	[SIM_UNSUBSCRIBE] = "settle",
	[SIM_PAUSE] = "pause",
	[SIM_UNPAUSE] = "unpause",
	[SIM_RESUME] = "resume",
	[SIM_RESUME_IN_XENSTORE] = "keep-books",
	[SIM_WAKE_AGENT] = "wake-agent",
	[SIM_NEXT_EVENT] = "next-event",
};
ENUM_COMPLETE(sim_verb_names, SIM_N_VERBS - 1);

const char *sim_verb_name(enum sim_verb verb)
{
	return ENUM_NAME(sim_verb_names, verb);
}

enum sim_verb sim_verb_of_name(const char *name)
{
	int verb;

	assert(name);
	verb = ENUM_PARSE(sim_verb_names, name);
	return verb < 0 ? SIM_N_VERBS : (enum sim_verb)verb;
}

int sim_count_call(struct sim_calls *calls, enum sim_verb verb)
{
	uint64_t n;

	assert(verb < SIM_N_VERBS);
	n = ++calls->n[verb];
	for (size_t i = 0; i < calls->n_failures; i++) {
		const struct sim_failure *failure = &calls->failures[i];

		if (failure->verb == verb &&
		    (n == failure->n || (failure->and_later && n > failure->n)))
			return -EIO;
	}
	return 0;
}

/* ---- set-up -------------------------------------------------------------- */

void sim_machine_init(struct simulator *simulator)
{
	assert(simulator);
	*simulator = (struct simulator){
		.loop.ops = &sim_loop_ops,
		.sleeper.ops = &sim_sleeper_ops,
		.now_us = SIM_CLOCK_START_US,
		.offers_s3 = true,
		.trace_fd = -EBADF,
		.sleep_us = 3600000000ull,
	};
}

void sim_machine_done(struct simulator *simulator)
{
	if (!simulator)
		return;
	for (size_t i = 0; i < simulator->n_guests; i++)
		free(simulator->guests[i].calls.failures);
	free(simulator->guests);
	free(simulator->links);
	free(simulator->heap);
	free(simulator->deferred);
	free(simulator->changed);
	free(simulator->calls.failures);
	closep(&simulator->trace_fd);
	free(simulator->state_path);
}
