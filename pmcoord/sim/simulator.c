/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/simulator.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/protocol.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "sim/simulator-machine.h"
#include "sim/simulator-scenario.h"
#include "sim/simulator-state.h"
#include "sim/simulator-trace.h"

/* How long an agent takes to react to a request or to its retraction. */
#define AGENT_REACTION_US 1000

static struct simulator *simulator_of(struct hypervisor *hypervisor)
{
	return container_of(hypervisor, struct simulator, hypervisor);
}

/* ---- calls --------------------------------------------------------------- */

/* Returns the guest that has this domid and UUID now, or NULL. */
static struct sim_guest *find_guest(struct simulator *simulator, const struct domain_id *id)
{
	struct domain_id found;
	struct sim_guest *guest;

	if (id->domid < 1 || id->domid > 2 * simulator->n_guests)
		return NULL;
	guest = &simulator->guests[(id->domid - 1) % simulator->n_guests];
	found = domain_id_of(&guest->facts);
	return guest->facts.state != GUEST_GONE && domain_id_equal(&found, id) ? guest : NULL;
}

/*
 * Begins a call of a verb for one guest: counts the call and finds the guest.
 * Returns 0, -ESRCH if the guest does not exist, or -EIO if Fail= makes this
 * call fail.
 */
static int begin_call(struct hypervisor *hypervisor, enum sim_verb verb, const struct domain_id *id,
		      struct sim_guest **ret_guest)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest = find_guest(simulator, id);
	int r;

	sim_step(simulator, false);
	r = sim_count_call(&simulator->calls, verb);
	*ret_guest = guest;
	if (!guest)
		return -ESRCH;
	return sim_count_call(&guest->calls, verb) < 0 ? -EIO : r;
}

/* Writes the outcome `r` of a call to the trace. `guest` may be NULL: it does not exist. */
static void trace_call(const struct simulator *simulator, const struct sim_guest *guest,
		       const char *done, const char *failed, int r)
{
	if (guest)
		sim_trace(simulator, guest, r < 0 ? failed : done);
}

static size_t index_of(const struct simulator *simulator, const struct sim_guest *guest)
{
	return (size_t)(guest - simulator->guests);
}

uint64_t simulator_calls(struct hypervisor *hypervisor, const char *verb)
{
	enum sim_verb number;

	assert(hypervisor && verb);
	number = sim_verb_of_name(verb);
	return number == SIM_N_VERBS ? 0 : simulator_of(hypervisor)->calls.n[number];
}

const char *simulator_verb(size_t i)
{
	return i < SIM_N_VERBS ? sim_verb_name((enum sim_verb)i) : NULL;
}

/* ---- inventory and states ------------------------------------------------ */

static int add_guest(struct inventory *inventory, const struct sim_guest *guest)
{
	struct guest facts = guest->facts;

	if (facts.state == GUEST_RUNNING && guest->pauses > 0)
		facts.state = GUEST_PAUSED;
	if (guest->requested)
		snprintf(facts.shutdown_node, sizeof(facts.shutdown_node), "%s",
			 PROTOCOL_SHUTDOWN_SUSPEND);
	return inventory_add_guest(inventory, &facts);
}

/* Whether one of the domains that record the link exists. */
static bool is_claimed(const struct simulator *simulator, const struct link *link)
{
	bool frontend = simulator->guests[link->frontend].facts.state != GUEST_GONE;
	bool backend = simulator->guests[link->backend].facts.state != GUEST_GONE;

	return (link->recorded_by_frontend && frontend) || (link->recorded_by_backend && backend);
}

static int add_link(const struct simulator *simulator, struct inventory *inventory,
		    const struct link *claim)
{
	struct link link = *claim;

	if (!is_claimed(simulator, claim))
		return 0;
	link.frontend = simulator->guests[claim->frontend].facts.domid;
	link.backend = simulator->guests[claim->backend].facts.domid;
	return inventory_add_link(inventory, &link);
}

static int sim_inventory(struct hypervisor *hypervisor, struct inventory *ret_inventory,
			 struct error *error)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct inventory inventory = { 0 };
	int r;

	sim_step(simulator, false);
	r = sim_count_call(&simulator->calls, SIM_INVENTORY);
	if (r < 0)
		return error_set(error, r, "the inventory failed, as set in the scenario (Fail=)");
	for (size_t i = 0; i < simulator->n_guests && r == 0; i++)
		if (simulator->guests[i].facts.state != GUEST_GONE)
			r = add_guest(&inventory, &simulator->guests[i]);
	for (size_t i = 0; i < simulator->n_links && r == 0; i++)
		r = add_link(simulator, &inventory, &simulator->links[i]);
	if (r == 0)
		r = inventory_finish(&inventory);
	if (r < 0) {
		inventory_done(&inventory);
		return error_set(error, r, "out of memory");
	}
	*ret_inventory = inventory;
	return 0;
}

static struct domain_state state_of(const struct sim_guest *guest)
{
	enum guest_state state = guest->facts.state;

	return (struct domain_state){
		.paused = guest->pauses > 0,
		.state = state == GUEST_RUNNING && guest->pauses > 0 ? GUEST_PAUSED : state,
		.end = state == GUEST_SHUT_DOWN ? GUEST_POWERED_OFF
		       : state == GUEST_DYING	? GUEST_DESTROYED
						: GUEST_NOT_ENDED,
	};
}

static int sim_get_state(struct hypervisor *hypervisor, const struct domain_id *id,
			 struct domain_state *ret_state)
{
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_GET_STATE, id, &guest);

	if (r == -ESRCH) {
		*ret_state = (struct domain_state){ .state = GUEST_GONE, .end = GUEST_DESTROYED };
		return 0;
	}
	if (r < 0)
		return r;
	*ret_state = state_of(guest);
	return 0;
}

static int compare_listed(const void *a, const void *b)
{
	const struct listed_domain *left = a, *right = b;

	return (left->id.domid > right->id.domid) - (left->id.domid < right->id.domid);
}

static int sim_list_domains(struct hypervisor *hypervisor, struct listed_domain **ret_domains,
			    size_t *ret_n)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct listed_domain *domains;
	size_t n = 0;
	int r = sim_count_call(&simulator->calls, SIM_LIST_DOMAINS);

	if (r < 0)
		return r;
	domains = calloc(simulator->n_guests + 1, sizeof(*domains));
	if (!domains)
		return -ENOMEM;
	for (size_t i = 0; i < simulator->n_guests; i++)
		if (simulator->guests[i].facts.state != GUEST_GONE)
			domains[n++] = (struct listed_domain){
				.id = domain_id_of(&simulator->guests[i].facts),
				.state = state_of(&simulator->guests[i]),
			};
	qsort(domains, n, sizeof(*domains), compare_listed);
	*ret_domains = domains;
	*ret_n = n;
	return 0;
}

/* PCI functions have the addresses 0000:00:01.0 and up. Memory is not simulated. */
static int sim_examine(struct hypervisor *hypervisor, const struct guest *facts,
		       struct guest_examination *ret_examination)
{
	struct guest_examination examination = { 0 };
	struct domain_id id = domain_id_of(facts);
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_EXAMINE, &id, &guest);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < facts->pci_functions && i < EXAMINED_PCI_MAX; i++)
		snprintf(examination.pci[examination.n_pci++], PCI_ADDRESS_SIZE, "0000:00:%02x.0",
			 i + 1);
	examination.agent_port_is_stale = guest->behaviour == SIM_AGENT_PORT_IS_STALE;
	*ret_examination = examination;
	return 0;
}

static int sim_get_agent_state(struct hypervisor *hypervisor, const struct domain_id *id,
			       struct agent_state *ret_state)
{
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_GET_AGENT_STATE, id, &guest);

	if (r < 0)
		return r;
	if (guest->facts.agent.state.state == PROTOCOL_AGENT_NONE)
		return -ENODATA;
	*ret_state = (struct agent_state){ .state = guest->facts.agent.state };
	if (guest->behaviour == SIM_RESUMES_DEGRADED)
		snprintf(ret_state->detail, sizeof(ret_state->detail), "0000:00:00.0 lost");
	if (guest->behaviour == SIM_REFUSES)
		snprintf(ret_state->detail, sizeof(ret_state->detail),
			 "refused, as set in the scenario");
	return 0;
}

/* ---- suspend ------------------------------------------------------------- */

static int sim_prepare(struct hypervisor *hypervisor, const struct guest *facts,
		       enum mechanism mechanism)
{
	struct domain_id id = domain_id_of(facts);
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_PREPARE, &id, &guest);

	if (r < 0)
		return r;
	if (mechanism == MECHANISM_AGENT && guest->behaviour == SIM_AGENT_PORT_IS_STALE)
		return PREPARE_PORT_IS_STALE;
	guest->watched |= mechanism == MECHANISM_AGENT;
	return PREPARED;
}

static int sim_arm(struct hypervisor *hypervisor, const struct domain_id *id, uint64_t cycle,
		   const struct agent_terms *terms)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_ARM, id, &guest);
	bool is_ready;

	if (r < 0)
		return r;
	is_ready = guest->facts.agent.state.state == PROTOCOL_AGENT_READY &&
		   guest->facts.agent.state.cycle == cycle;
	guest->facts.agent.request = (struct protocol_request){ PROTOCOL_SUSPEND, cycle };
	guest->facts.agent.terms = *terms;
	/*
	 * A dead agent never reacts. An agent that is already ready for this cycle
	 * does not answer when its time limit changes.
	 */
	if (!is_ready && guest->behaviour != SIM_AGENT_IS_DEAD)
		r = sim_schedule(simulator, index_of(simulator, guest), AGENT_REACTION_US,
				 SIM_ARMED);
	sim_step(simulator, true);
	return r;
}

static int sim_subscribe(struct hypervisor *hypervisor, const struct domain_id *id,
			 enum mechanism mechanism)
{
	(void)mechanism;
	return find_guest(simulator_of(hypervisor), id) ? 0 : -ESRCH;
}

static int sim_request(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest = NULL;
	int r = sim_start_scenario(simulator);

	if (r == 0)
		r = begin_call(hypervisor, SIM_REQUEST, id, &guest);
	trace_call(simulator, guest, "requested", "request-failed", r);
	if (r == 0)
		r = sim_suspend_guest(simulator, index_of(simulator, guest), mechanism);
	sim_step(simulator, true);
	return r;
}

static int retract(struct simulator *simulator, struct sim_guest *guest, enum mechanism mechanism,
		   uint64_t cycle)
{
	if (mechanism == MECHANISM_AGENT &&
	    guest->facts.agent.state.state != PROTOCOL_AGENT_QUIESCED) {
		guest->facts.agent.request = (struct protocol_request){ PROTOCOL_ABORT, cycle };
		guest->generation++;
		return guest->behaviour == SIM_AGENT_IS_DEAD
			       ? RETRACTED
			       : sim_schedule(simulator, index_of(simulator, guest),
					      AGENT_REACTION_US, SIM_ARMED);
	}
	if (!guest->requested)
		return RETRACT_TOO_LATE;
	guest->requested = false;
	guest->generation++;
	return RETRACTED;
}

static int sim_retract(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism, uint64_t cycle)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_RETRACT, id, &guest);

	if (r == 0)
		r = retract(simulator, guest, mechanism, cycle);
	if (r != RETRACT_TOO_LATE)
		trace_call(simulator, guest, "retracted", "retract-failed", r);
	sim_step(simulator, true);
	return r;
}

/* No other program suspends simulated guests. */
static enum request_owner sim_get_request_owner(struct hypervisor *hypervisor,
						const struct domain_id *id,
						enum mechanism mechanism, bool is_suspended)
{
	(void)hypervisor;
	(void)id;
	(void)mechanism;
	(void)is_suspended;
	return REQUEST_OF_US;
}

static int sim_unsubscribe(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct sim_guest *guest;

	return begin_call(hypervisor, SIM_UNSUBSCRIBE, id, &guest);
}

static bool sim_is_being_saved(struct hypervisor *hypervisor, const struct domain_id *id)
{
	const struct sim_guest *guest = find_guest(simulator_of(hypervisor), id);

	return guest && guest->fate == SIM_IS_SAVED;
}

static int sim_pause(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct sim_guest *guest = NULL;
	int r = sim_start_scenario(simulator_of(hypervisor));

	if (r == 0)
		r = begin_call(hypervisor, SIM_PAUSE, id, &guest);
	if (r == 0)
		guest->pauses++;
	trace_call(simulator_of(hypervisor), guest, "paused", "pause-failed", r);
	sim_step(simulator_of(hypervisor), true);
	return r;
}

/* ---- resume -------------------------------------------------------------- */

static int sim_unpause(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_UNPAUSE, id, &guest);

	if (r == 0 && guest->pauses == 0)
		r = -EINVAL;
	trace_call(simulator, guest, "unpaused", "unpause-failed", r);
	if (r == 0 && --guest->pauses == 0)
		r = sim_run_deferred(simulator, index_of(simulator, guest));
	sim_step(simulator, true);
	return r;
}

static int sim_prepare_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return find_guest(simulator_of(hypervisor), id) ? 0 : -ESRCH;
}

static int sim_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_RESUME, id, &guest);

	if (r == 0 && guest->facts.state != GUEST_SUSPENDED)
		r = -EBUSY;
	if (r == 0 && guest->behaviour == SIM_FAILS_TO_RESUME)
		r = -EIO;
	if (r == 0)
		simulator->now_us += guest->resume_us;
	trace_call(simulator, guest, "resumed", "resume-failed", r);
	if (r < 0)
		return r;
	guest->facts.state = GUEST_RUNNING;
	guest->restoring = guest->facts.agent.present && guest->behaviour != SIM_NEVER_READY;
	if (guest->restoring)
		r = sim_schedule(simulator, index_of(simulator, guest), guest->ready_us,
				 SIM_RESTORED);
	sim_step(simulator, true);
	return r;
}

static int sim_resume_in_xenstore(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct sim_guest *guest;

	return begin_call(hypervisor, SIM_RESUME_IN_XENSTORE, id, &guest);
}

static int sim_wake_agent(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct sim_guest *guest;
	int r = begin_call(hypervisor, SIM_WAKE_AGENT, id, &guest);

	if (r == 0)
		guest->watched = true;
	return r;
}

/* ---- the machine --------------------------------------------------------- */

/* Does nothing, because no other process changes domains while this one runs. */
static int sim_watch_domains(struct hypervisor *hypervisor)
{
	(void)hypervisor;
	return 0;
}

/* Does nothing, because a simulated xenstored is never away. */
static int sim_connect(struct hypervisor *hypervisor, struct error *error)
{
	(void)hypervisor;
	(void)error;
	return 0;
}

static int sim_fd(struct hypervisor *hypervisor)
{
	(void)hypervisor;
	return -EBADF; /* the simulated loop polls no descriptor */
}

static int sim_next_event(struct hypervisor *hypervisor, uint32_t *ret_domid)
{
	struct simulator *simulator = simulator_of(hypervisor);
	int r = sim_count_call(&simulator->calls, SIM_NEXT_EVENT);

	if (r < 0 || simulator->first_changed == simulator->n_changed)
		return r;
	*ret_domid = simulator->changed[simulator->first_changed++];
	return 1;
}

static void sim_close(struct hypervisor *hypervisor)
{
	struct simulator *simulator = simulator_of(hypervisor);

	sim_state_save(simulator);
	sim_machine_done(simulator);
	free(simulator);
}

static const struct hypervisor_ops sim_ops = {
	.name = "simulator",
	.close = sim_close,
	.connect = sim_connect,
	.watch_domains = sim_watch_domains,
	.inventory = sim_inventory,
	.list_domains = sim_list_domains,
	.examine = sim_examine,
	.prepare = sim_prepare,
	.arm = sim_arm,
	.subscribe = sim_subscribe,
	.request = sim_request,
	.retract = sim_retract,
	.get_request_owner = sim_get_request_owner,
	.get_state = sim_get_state,
	.get_agent_state = sim_get_agent_state,
	.unsubscribe = sim_unsubscribe,
	.is_being_saved = sim_is_being_saved,
	.pause = sim_pause,
	.unpause = sim_unpause,
	.prepare_resume = sim_prepare_resume,
	.resume = sim_resume,
	.resume_in_xenstore = sim_resume_in_xenstore,
	.wake_agent = sim_wake_agent,
	.fd = sim_fd,
	.next_event = sim_next_event,
};

/*
 * Saves the state if the scenario has KeepState=always. Ends this process at the step
 * KilledAt=, with the state saved before, because a hypervisor outlives the coordinator.
 */
static void take_step(struct simulator *simulator, bool has_changed)
{
	bool is_killed = ++simulator->n_steps == simulator->killed_at;

	if ((has_changed && simulator->saves_always) || is_killed)
		sim_state_save(simulator);
	if (is_killed)
		raise(SIGKILL);
}

static int open_trace(struct simulator *simulator, struct error *error)
{
	_cleanup_(freep) char *path = NULL;

	if (asprintf(&path, "%s.trace", simulator->state_path) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	simulator->trace_fd = sim_trace_open(path);
	if (simulator->trace_fd >= 0)
		return 0;
	return error_set(error, simulator->trace_fd, "cannot write the trace %s: %s", path,
			 strerror(-simulator->trace_fd));
}

/* Reads the scenario, then the state that an earlier command has saved. */
static int load(struct simulator *simulator, const char *path, const char *state_path,
		struct error *error)
{
	int r = sim_scenario_load(simulator, path, error);

	if (r < 0) {
		error_set(error, r, "cannot read the scenario %s: %s", path, strerror(-r));
		error_mark(error, -ENOENT, OUTCOME_USAGE);
		error_mark(error, -EINVAL, OUTCOME_USAGE);
		error_mark(error, -EBADMSG, OUTCOME_USAGE);
		error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
		return r;
	}
	if (!state_path)
		return 0;
	simulator->state_path = strdup(state_path);
	if (!simulator->state_path || sim_state_load(simulator) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	simulator->on_step = take_step;
	return simulator->has_trace ? open_trace(simulator, error) : 0;
}

int simulator_open(const char *path, const char *state_path, struct hypervisor **ret_hypervisor,
		   struct loop **ret_loop, struct sleeper **ret_sleeper, struct error *error)
{
	struct simulator *simulator;
	int r;

	assert(path && ret_hypervisor && ret_loop && ret_sleeper);
	simulator = malloc(sizeof(*simulator));
	if (!simulator)
		return error_set(error, -ENOMEM, "out of memory");
	sim_machine_init(simulator);
	simulator->hypervisor.ops = &sim_ops;
	r = load(simulator, path, state_path, error);
	if (r < 0) {
		sim_machine_done(simulator);
		free(simulator);
		return r;
	}
	*ret_hypervisor = &simulator->hypervisor;
	*ret_loop = &simulator->loop;
	*ret_sleeper = &simulator->sleeper;
	return 0;
}
