/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/simulator.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/ini-file.h"
#include "pmcoord/parse.h"

/* Domids of Xen end at DOMID_FIRST_RESERVED. */
#define SIMULATED_GUESTS_MAX 30000

/* Where the virtual clock starts: not at 0, which would hide mistakes. */
#define CLOCK_START_US 1000000

enum behaviour {
	BEHAVES,
	IGNORES_REQUESTS, /* takes none and says nothing */
	HANGS_AFTER_ACK, /* takes the request and never goes down */
	GOES_DOWN_LATE, /* takes the request, goes down after LateTime= */
	DIES, /* instead of going down */
	REFUSES, /* its agent answers failed */
	AGENT_IS_DEAD, /* published, but nobody answers */
	COMES_BACK_DEGRADED, /* its agent answers degraded after the wake */
	FAILS_TO_RESUME, /* the resume verb returns EIO */
};

enum event_type {
	EVENT_ARMED,
	EVENT_QUIESCED,
	EVENT_DOWN,
	EVENT_DEAD,
	EVENT_REFUSED,
	EVENT_RESTORED,
};

struct event {
	uint64_t at_us;
	uint64_t order; /* of events at the same time: first in, first out */
	size_t guest;
	unsigned int generation;
	enum event_type type;
};

struct sim_guest {
	struct guest facts; /* .state and .agent change as it lives */
	enum behaviour behaviour;
	uint64_t quiesce_us, suspend_us, resume_us, ready_us, late_us;
	bool paused;
	bool asked; /* a request stands that it has not taken */
	bool watched; /* its agent's states are events */
	/* Events of an older generation have been overtaken. */
	unsigned int generation;
	char *needs; /* names, space separated */
	char *stub_for;
	uint64_t count; /* of copies, 0: one, with its plain name */
};

struct simulator {
	struct hypervisor hypervisor;
	struct loop loop;
	struct sleeper sleeper;
	uint64_t now_us;
	uint64_t orders;
	struct sim_guest *guests;
	size_t n_guests;
	struct event *heap;
	size_t n_heap;
	uint32_t *happened; /* domids to look at */
	size_t n_happened;
	size_t first_happened;
	char *state_path;
	bool offers_s3;
	bool refuses_s3;
	uint64_t sleep_us;
};

#define container_of(pointer, type, member)                                    \
	((type *)((char *)(pointer)-offsetof(type, member)))

static struct simulator *simulator_of(struct hypervisor *hypervisor)
{
	return container_of(hypervisor, struct simulator, hypervisor);
}

/* ---- the virtual clock -------------------------------------------------- */

static bool is_earlier(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static int schedule(struct simulator *simulator, size_t guest,
		    uint64_t delay_us, enum event_type type)
{
	struct event event = {
		.at_us = simulator->now_us + delay_us,
		.order = simulator->orders++,
		.guest = guest,
		.generation = simulator->guests[guest].generation,
		.type = type,
	};
	struct event *heap = simulator->heap;
	size_t i = simulator->n_heap;

	if ((i & (i - 1)) == 0) {
		heap = reallocarray(heap, i ? i * 2 : 1, sizeof(*heap));
		if (!heap)
			return -ENOMEM;
		simulator->heap = heap;
	}
	simulator->n_heap++;
	for (; i > 0 && is_earlier(&event, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = event;
	return 0;
}

static struct event take_earliest(struct simulator *simulator)
{
	struct event *heap = simulator->heap;
	struct event earliest = heap[0];
	struct event last = heap[--simulator->n_heap];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < simulator->n_heap) {
		if (child + 1 < simulator->n_heap &&
		    is_earlier(&heap[child + 1], &heap[child]))
			child++;
		if (!is_earlier(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return earliest;
}

static int note(struct simulator *simulator, uint32_t domid)
{
	uint32_t *happened = simulator->happened;
	size_t n = simulator->n_happened;

	if (simulator->first_happened == n)
		simulator->first_happened = simulator->n_happened = n = 0;
	if ((n & (n - 1)) == 0) {
		happened = reallocarray(happened, n ? n * 2 : 1,
					sizeof(*happened));
		if (!happened)
			return -ENOMEM;
		simulator->happened = happened;
	}
	happened[simulator->n_happened++] = domid;
	return 0;
}

static void set_agent(struct sim_guest *guest, enum protocol_agent_state state)
{
	guest->facts.agent.state.state = state;
	guest->facts.agent.state.cycle = guest->facts.agent.request.cycle;
}

/* Something happens in a guest. Returns whether anybody hears of it. */
static bool happen(struct sim_guest *guest, const struct event *event)
{
	if (event->generation != guest->generation)
		return false;
	switch (event->type) {
	case EVENT_ARMED:
		set_agent(guest, PROTOCOL_AGENT_READY);
		return guest->watched;
	case EVENT_QUIESCED:
		set_agent(guest, PROTOCOL_AGENT_QUIESCED);
		return guest->watched;
	case EVENT_REFUSED:
		set_agent(guest, PROTOCOL_AGENT_FAILED);
		return guest->watched;
	case EVENT_RESTORED:
		set_agent(guest, guest->behaviour == COMES_BACK_DEGRADED
					 ? PROTOCOL_AGENT_DEGRADED
					 : PROTOCOL_AGENT_READY);
		return guest->watched;
	case EVENT_DOWN:
		guest->asked = false;
		guest->facts.state = GUEST_SUSPENDED;
		return true;
	case EVENT_DEAD:
		guest->facts.state = GUEST_GONE;
		return true;
	}
	return false;
}

static struct simulator *loop_simulator(struct loop *loop)
{
	return container_of(loop, struct simulator, loop);
}

static uint64_t sim_now(struct loop *loop)
{
	return loop_simulator(loop)->now_us;
}

static int take_event(struct simulator *simulator)
{
	struct event event = take_earliest(simulator);
	struct sim_guest *guest = &simulator->guests[event.guest];

	if (event.at_us > simulator->now_us)
		simulator->now_us = event.at_us;
	return happen(guest, &event) ? note(simulator, guest->facts.domid) : 0;
}

/*
 * Jumps to the next thing that happens, or to the deadline. What happens at
 * one moment is seen at once, as by a coordinator on a busy host.
 */
static int sim_wait(struct loop *loop, uint64_t deadline_us)
{
	struct simulator *simulator = loop_simulator(loop);
	int r = 0;

	while (r == 0 && simulator->n_heap > 0 &&
	       simulator->first_happened == simulator->n_happened &&
	       simulator->heap[0].at_us <= deadline_us)
		r = take_event(simulator);
	while (r == 0 && simulator->n_heap > 0 &&
	       simulator->heap[0].at_us <= simulator->now_us)
		r = take_event(simulator);
	if (r < 0 || simulator->first_happened < simulator->n_happened)
		return r;
	if (deadline_us == LOOP_FOREVER)
		return -EDEADLK;
	if (deadline_us > simulator->now_us)
		simulator->now_us = deadline_us;
	return 0;
}

static void sim_loop_free(struct loop *loop)
{
	(void)loop; /* goes with the hypervisor */
}

static const struct loop_ops sim_loop_ops = {
	.free = sim_loop_free,
	.now = sim_now,
	.wait = sim_wait,
};

/* ---- the hypervisor's verbs --------------------------------------------- */

static struct sim_guest *find(struct hypervisor *hypervisor,
			      const struct domain_id *id)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest;

	/* Domids are 1 … n, in the order of the file. */
	if (id->domid < 1 || id->domid > simulator->n_guests)
		return NULL;
	guest = &simulator->guests[id->domid - 1];
	return guest->facts.state != GUEST_GONE &&
			       memcmp(guest->facts.uuid, id->uuid,
				      GUEST_UUID_SIZE) == 0
		       ? guest
		       : NULL;
}

static size_t index_of(struct simulator *simulator,
		       const struct sim_guest *guest)
{
	return (size_t)(guest - simulator->guests);
}

static struct sim_guest *find_by_name(struct simulator *simulator,
				      const char *name)
{
	for (size_t i = 0; i < simulator->n_guests; i++)
		if (strcmp(simulator->guests[i].facts.name, name) == 0)
			return &simulator->guests[i];
	return NULL;
}

/* One link per name in a space-separated list. */
static int add_links(struct simulator *simulator, struct inventory *inventory,
		     const struct sim_guest *guest)
{
	struct link link = {
		.frontend = guest->facts.domid,
		.class = LINK_NETWORK,
		.said_by_frontend = true,
		.said_by_backend = true,
		.said_by_toolstack = true,
	};
	_cleanup_(freep) char *names = strdup(guest->needs ? guest->needs : "");
	char *rest = names, *name;
	int r = names ? 0 : -ENOMEM;

	while (r == 0 && (name = strsep(&rest, " ,"))) {
		if (!name[0])
			continue;
		link.backend = find_by_name(simulator, name)->facts.domid;
		r = inventory_add_link(inventory, &link);
	}
	if (r == 0 && guest->stub_for) {
		link.class = LINK_DEVICE_MODEL;
		link.frontend =
			find_by_name(simulator, guest->stub_for)->facts.domid;
		link.backend = guest->facts.domid;
		r = inventory_add_link(inventory, &link);
	}
	return r;
}

static int sim_inventory(struct hypervisor *hypervisor,
			 struct inventory *ret_inventory, struct error *error)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct inventory inventory = { 0 };
	int r = 0;

	for (size_t i = 0; i < simulator->n_guests && r == 0; i++) {
		const struct sim_guest *guest = &simulator->guests[i];

		if (guest->facts.state == GUEST_GONE)
			continue;
		r = inventory_add_guest(&inventory, &guest->facts);
		if (r == 0)
			r = add_links(simulator, &inventory, guest);
	}
	if (r == 0)
		r = inventory_finish(&inventory);
	if (r < 0) {
		inventory_done(&inventory);
		return error_set(error, r, "out of memory");
	}
	*ret_inventory = inventory;
	return 0;
}

static int sim_prepare(struct hypervisor *hypervisor, const struct guest *facts,
		       enum mechanism mechanism)
{
	struct domain_id id = domain_id_of(facts);
	struct sim_guest *guest = find(hypervisor, &id);

	if (!guest)
		return -ESRCH;
	guest->watched |= mechanism == MECHANISM_AGENT;
	return PREPARED;
}

static int sim_arm(struct hypervisor *hypervisor, const struct domain_id *id,
		   uint64_t cycle, uint64_t timeout_us)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest = find(hypervisor, id);

	(void)timeout_us;
	if (!guest)
		return -ESRCH;
	guest->facts.agent.request =
		(struct protocol_request){ PROTOCOL_SUSPEND, cycle };
	if (guest->behaviour == AGENT_IS_DEAD)
		return 0;
	return schedule(simulator, index_of(simulator, guest), 1000,
			EVENT_ARMED);
}

static int go_down(struct simulator *simulator, struct sim_guest *guest,
		   bool by_agent)
{
	size_t i = index_of(simulator, guest);
	uint64_t quiesce_us = by_agent ? guest->quiesce_us : 0;
	int r = 0;

	switch (guest->behaviour) {
	case IGNORES_REQUESTS:
		guest->asked = true;
		return 0;
	case HANGS_AFTER_ACK:
		return 0;
	case DIES:
		return schedule(simulator, i, quiesce_us + guest->suspend_us,
				EVENT_DEAD);
	case REFUSES:
		return by_agent ? schedule(simulator, i, quiesce_us,
					   EVENT_REFUSED)
				: 0;
	case GOES_DOWN_LATE:
		return schedule(simulator, i, guest->late_us, EVENT_DOWN);
	case AGENT_IS_DEAD:
		if (by_agent)
			return 0;
		break;
	case BEHAVES:
	case COMES_BACK_DEGRADED:
	case FAILS_TO_RESUME:
		break;
	}
	if (by_agent)
		r = schedule(simulator, i, quiesce_us, EVENT_QUIESCED);
	return r < 0 ? r
		     : schedule(simulator, i, quiesce_us + guest->suspend_us,
				EVENT_DOWN);
}

static int sim_request(struct hypervisor *hypervisor,
		       const struct domain_id *id, enum mechanism mechanism)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest = find(hypervisor, id);

	if (!guest)
		return -ESRCH;
	return go_down(simulator, guest, mechanism == MECHANISM_AGENT);
}

static int sim_retract(struct hypervisor *hypervisor,
		       const struct domain_id *id, enum mechanism mechanism,
		       uint64_t cycle)
{
	struct sim_guest *guest = find(hypervisor, id);
	struct simulator *simulator = simulator_of(hypervisor);

	if (!guest)
		return -ESRCH;
	if (mechanism == MECHANISM_AGENT &&
	    guest->facts.agent.state.state != PROTOCOL_AGENT_QUIESCED) {
		guest->facts.agent.request =
			(struct protocol_request){ PROTOCOL_ABORT, cycle };
		guest->generation++;
		return schedule(simulator, index_of(simulator, guest), 1000,
				EVENT_ARMED);
	}
	if (!guest->asked)
		return RETRACT_TOO_LATE;
	guest->asked = false;
	guest->generation++;
	return RETRACTED;
}

static int sim_look(struct hypervisor *hypervisor, const struct domain_id *id,
		    struct domain_look *ret_look)
{
	struct sim_guest *guest = find(hypervisor, id);

	*ret_look = (struct domain_look){ .state = GUEST_GONE };
	if (!guest)
		return 0;
	ret_look->paused = guest->paused;
	ret_look->state = guest->facts.state == GUEST_RUNNING && guest->paused
				  ? GUEST_PAUSED
				  : guest->facts.state;
	return 0;
}

/* Its functions are 0000:00:01.0, and so on; its memory is not simulated. */
static int sim_examine(struct hypervisor *hypervisor, const struct guest *guest,
		       struct guest_examination *ret_examination)
{
	struct guest_examination examination = { 0 };

	(void)hypervisor;
	for (unsigned int i = 0;
	     i < guest->pci_functions && i < EXAMINED_PCI_MAX; i++)
		snprintf(examination.pci[examination.n_pci++], PCI_ADDRESS_SIZE,
			 "0000:00:%02x.0", i + 1);
	*ret_examination = examination;
	return 0;
}

static int sim_look_at_agent(struct hypervisor *hypervisor,
			     const struct domain_id *id,
			     struct agent_look *ret_look)
{
	struct sim_guest *guest = find(hypervisor, id);

	if (!guest)
		return -ESRCH;
	if (guest->facts.agent.state.state == PROTOCOL_AGENT_NONE)
		return -ENODATA;
	*ret_look = (struct agent_look){ .state = guest->facts.agent.state };
	if (guest->behaviour == COMES_BACK_DEGRADED)
		snprintf(ret_look->detail, sizeof(ret_look->detail),
			 "0000:00:00.0 lost");
	if (guest->behaviour == REFUSES)
		snprintf(ret_look->detail, sizeof(ret_look->detail),
			 "refused, as the scenario wants");
	return 0;
}

static int sim_settle(struct hypervisor *hypervisor, const struct domain_id *id)
{
	(void)hypervisor;
	(void)id;
	return 0;
}

static int set_paused(struct hypervisor *hypervisor, const struct domain_id *id,
		      bool paused)
{
	struct sim_guest *guest = find(hypervisor, id);

	if (!guest)
		return -ESRCH;
	guest->paused = paused;
	return 0;
}

static int sim_pause(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return set_paused(hypervisor, id, true);
}

static int sim_unpause(struct hypervisor *hypervisor,
		       const struct domain_id *id)
{
	return set_paused(hypervisor, id, false);
}

static int sim_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest = find(hypervisor, id);

	if (!guest)
		return -ESRCH;
	if (guest->facts.state != GUEST_SUSPENDED)
		return -EBUSY;
	if (guest->behaviour == FAILS_TO_RESUME)
		return -EIO;
	simulator->now_us += guest->resume_us;
	guest->facts.state = GUEST_RUNNING;
	if (!guest->facts.agent.present)
		return 0;
	return schedule(simulator, index_of(simulator, guest), guest->ready_us,
			EVENT_RESTORED);
}

static int sim_keep_books(struct hypervisor *hypervisor,
			  const struct domain_id *id)
{
	return find(hypervisor, id) ? 0 : -ESRCH;
}

static int sim_wake_agent(struct hypervisor *hypervisor,
			  const struct domain_id *id)
{
	struct sim_guest *guest = find(hypervisor, id);

	if (!guest)
		return -ESRCH;
	guest->watched = true;
	return 0;
}

static int sim_fd(struct hypervisor *hypervisor)
{
	(void)hypervisor;
	return -EBADF; /* its loop needs none */
}

static int sim_next_event(struct hypervisor *hypervisor, uint32_t *ret_domid)
{
	struct simulator *simulator = simulator_of(hypervisor);

	if (simulator->first_happened == simulator->n_happened)
		return 0;
	*ret_domid = simulator->happened[simulator->first_happened++];
	return 1;
}

/* ---- the host's sleep --------------------------------------------------- */

static struct simulator *sleeper_simulator(struct sleeper *sleeper)
{
	return container_of(sleeper, struct simulator, sleeper);
}

static int sim_sleep_prepare(struct sleeper *sleeper, struct error *error)
{
	if (!sleeper_simulator(sleeper)->offers_s3)
		return error_set(error, -EOPNOTSUPP,
				 "the simulated host offers no suspend to RAM "
				 "(S3=no in the scenario)");
	return 0;
}

static int sim_sleep_enter(struct sleeper *sleeper, struct loop *loop,
			   uint64_t *ret_slept_us, struct error *error)
{
	struct simulator *simulator = sleeper_simulator(sleeper);

	(void)loop;
	if (simulator->refuses_s3)
		return error_set(error, -EBUSY,
				 "the simulated kernel refused to sleep "
				 "(S3=refuse in the scenario)");
	simulator->now_us += simulator->sleep_us;
	*ret_slept_us = simulator->sleep_us;
	return 0;
}

static void sim_sleep_finish(struct sleeper *sleeper)
{
	(void)sleeper;
}

static void sim_sleeper_free(struct sleeper *sleeper)
{
	(void)sleeper; /* goes with the hypervisor */
}

static const struct sleeper_ops sim_sleeper_ops = {
	.free = sim_sleeper_free,
	.prepare = sim_sleep_prepare,
	.enter = sim_sleep_enter,
	.finish = sim_sleep_finish,
};

/* ---- the scenario ------------------------------------------------------- */

struct scenario {
	struct simulator *simulator;
	char *problems;
};

static const struct {
	const char *name;
	enum behaviour behaviour;
} behaviours[] = {
	{ "normal", BEHAVES },
	{ "ignores-requests", IGNORES_REQUESTS },
	{ "hangs-after-ack", HANGS_AFTER_ACK },
	{ "goes-down-late", GOES_DOWN_LATE },
	{ "dies", DIES },
	{ "refuses", REFUSES },
	{ "agent-is-dead", AGENT_IS_DEAD },
	{ "comes-back-degraded", COMES_BACK_DEGRADED },
	{ "fails-to-resume", FAILS_TO_RESUME },
};

static int take_behaviour(const char *value, struct sim_guest *guest)
{
	for (size_t i = 0; i < ELEMENTSOF(behaviours); i++) {
		if (strcmp(value, behaviours[i].name) != 0)
			continue;
		guest->behaviour = behaviours[i].behaviour;
		return 0;
	}
	return -EINVAL;
}

static int take_type(const char *value, struct guest *facts)
{
	for (int type = GUEST_PV; type <= GUEST_HVM; type++) {
		if (strcmp(value, guest_type_name((enum guest_type)type)) != 0)
			continue;
		facts->type = (enum guest_type)type;
		return 0;
	}
	return -EINVAL;
}

static int take_state(const char *value, struct sim_guest *guest)
{
	guest->paused = strcmp(value, "paused") == 0;
	if (strcmp(value, "running") == 0)
		guest->facts.state = GUEST_RUNNING;
	else if (guest->paused)
		guest->facts.state = GUEST_PAUSED;
	else if (strcmp(value, "suspended") == 0)
		guest->facts.state = GUEST_SUSPENDED;
	else
		return -EINVAL;
	return 0;
}

static int take_agent(const char *value, struct guest_agent *agent)
{
	bool present;
	int r = parse_boolean(value, &present);

	if (r == 0 && present)
		*agent = (struct guest_agent){
			.present = true,
			.version = PROTOCOL_VERSION,
			.port = 1,
			.state.state = PROTOCOL_AGENT_READY,
		};
	return r;
}

static int take_feature(const char *value, struct guest *facts)
{
	bool yes;
	int r = 0;

	if (strcmp(value, "unknown") == 0) {
		facts->feature_suspend = GUEST_FEATURE_UNKNOWN;
		return 0;
	}
	r = parse_boolean(value, &yes);
	if (r == 0)
		facts->feature_suspend =
			yes ? GUEST_FEATURE_YES : GUEST_FEATURE_NO;
	return r;
}

static int take_text(const char *value, char **ret)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

static int take_guest_key(struct sim_guest *guest, const char *key,
			  const char *value, struct error *error)
{
	struct guest *facts = &guest->facts;
	const struct {
		const char *key;
		uint64_t *us;
	} durations[] = {
		{ "QuiesceTime", &guest->quiesce_us },
		{ "SuspendTime", &guest->suspend_us },
		{ "ResumeTime", &guest->resume_us },
		{ "ReadyTime", &guest->ready_us },
		{ "LateTime", &guest->late_us },
	};
	uint64_t number;
	bool yes;
	int r = -ENOENT;

	for (size_t i = 0; i < ELEMENTSOF(durations); i++)
		if (strcmp(key, durations[i].key) == 0)
			r = parse_duration(value, durations[i].us);
	if (strcmp(key, "Type") == 0)
		r = take_type(value, facts);
	if (strcmp(key, "State") == 0)
		r = take_state(value, guest);
	if (strcmp(key, "Behaviour") == 0)
		r = take_behaviour(value, guest);
	if (strcmp(key, "Agent") == 0)
		r = take_agent(value, &facts->agent);
	if (strcmp(key, "FeatureSuspend") == 0)
		r = take_feature(value, facts);
	if (strcmp(key, "Needs") == 0)
		r = take_text(value, &guest->needs);
	if (strcmp(key, "StubFor") == 0)
		r = take_text(value, &guest->stub_for);
	if (strcmp(key, "Count") == 0)
		r = parse_u64(value, SIMULATED_GUESTS_MAX, &guest->count);
	if (strcmp(key, "PVDrivers") == 0)
		r = parse_boolean(value, &facts->has_pv_drivers);
	if (strcmp(key, "KernelEventChannel") == 0) {
		r = parse_boolean(value, &yes);
		facts->kernel_port = r == 0 && yes;
	}
	if (strcmp(key, "PCIFunctions") == 0) {
		r = parse_u64(value, 64, &number);
		facts->pci_functions = r == 0 ? (unsigned int)number : 0;
	}
	if (r == -ENOENT)
		return error_set(error, r, "unknown key");
	return r < 0 ? error_set(error, r, "'%s' will not do", value) : 0;
}

static int take_host_key(struct simulator *simulator, const char *key,
			 const char *value, struct error *error)
{
	if (strcmp(key, "S3") == 0) {
		simulator->offers_s3 = strcmp(value, "no") != 0;
		simulator->refuses_s3 = strcmp(value, "refuse") == 0;
		if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0 ||
		    simulator->refuses_s3)
			return 0;
		return error_set(error, -EINVAL,
				 "'%s' is none of: yes, no, refuse", value);
	}
	if (strcmp(key, "SleepTime") == 0 &&
	    parse_duration(value, &simulator->sleep_us) == 0)
		return 0;
	return error_set(error, -EINVAL, "unknown key or bad value '%s'",
			 value);
}

/* Appends a guest with the defaults of one that behaves. */
static struct sim_guest *new_guest(struct simulator *simulator)
{
	struct sim_guest *guests = simulator->guests;
	size_t n = simulator->n_guests;

	if (n == SIMULATED_GUESTS_MAX)
		return NULL;
	if ((n & (n - 1)) == 0) {
		guests = reallocarray(guests, n ? n * 2 : 1, sizeof(*guests));
		if (!guests)
			return NULL;
		simulator->guests = guests;
	}
	guests[n] = (struct sim_guest){
		.facts.domid = (uint32_t)n + 1,
		.facts.feature_suspend = GUEST_FEATURE_YES,
		.facts.has_pv_drivers = true,
		.quiesce_us = 20000,
		.suspend_us = 30000,
		.resume_us = 4000,
		.ready_us = 2000000,
		.late_us = 15000000,
	};
	simulator->n_guests++;
	return &guests[n];
}

/*
 * A UUID that follows from the name, so that the order of ties is the same in
 * every run (FNV-1a, twice).
 */
static void give_uuid(struct guest *facts)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (int half = 0; half < 2; half++) {
		for (const char *c = facts->name; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 0x100000001b3ull;
		memcpy(facts->uuid + half * 8, &hash, sizeof(hash));
	}
}

static struct sim_guest *guest_of_section(struct simulator *simulator,
					  const char *name)
{
	struct sim_guest *guest = find_by_name(simulator, name);

	if (guest)
		return guest;
	guest = new_guest(simulator);
	if (guest) {
		snprintf(guest->facts.name, sizeof(guest->facts.name), "%s",
			 name);
		give_uuid(&guest->facts);
	}
	return guest;
}

/* NAME out of: Guest "NAME". */
static bool guest_name(const char *section, char ret[static 64])
{
	char end;

	return sscanf(section, "Guest \"%63[^\"]%c", ret, &end) == 2 &&
	       end == '"';
}

static int take_section(void *data, const struct ini_position *position,
			const char *section, struct error *error)
{
	struct scenario *scenario = data;
	char name[64];

	(void)position;
	if (strcmp(section, "Host") == 0)
		return 0;
	if (!guest_name(section, name))
		return error_set(error, -EINVAL,
				 "is neither [Host] nor [Guest \"name\"]");
	if (!guest_of_section(scenario->simulator, name))
		return error_set(error, -E2BIG, "too many guests");
	return 0;
}

static int take_key(void *data, const struct ini_position *position,
		    const char *section, const char *key, const char *value,
		    struct error *error)
{
	struct scenario *scenario = data;
	char name[64];

	(void)position;
	if (strcmp(section, "Host") == 0)
		return take_host_key(scenario->simulator, key, value, error);
	/* A bad section has been reported at its header. */
	if (!guest_name(section, name))
		return 0;
	return take_guest_key(guest_of_section(scenario->simulator, name), key,
			      value, error);
}

static void collect_problem(void *data, const char *problem)
{
	struct scenario *scenario = data;
	char *problems;

	if (asprintf(&problems, "%s%s%s",
		     scenario->problems ? scenario->problems : "",
		     scenario->problems ? "\n" : "", problem) < 0)
		return;
	free(scenario->problems);
	scenario->problems = problems;
}

/* Count=3 of "app" makes app1, app2, app3. */
static int make_copies(struct simulator *simulator)
{
	size_t n = simulator->n_guests;

	for (size_t i = 0; i < n; i++) {
		uint64_t count = simulator->guests[i].count;

		for (uint64_t copy = 2; copy <= count; copy++) {
			struct sim_guest *guest = new_guest(simulator);
			struct sim_guest *first = &simulator->guests[i];
			uint32_t domid;

			if (!guest)
				return -ENOMEM;
			domid = guest->facts.domid;
			*guest = *first;
			guest->facts.domid = domid;
			guest->needs =
				first->needs ? strdup(first->needs) : NULL;
			guest->stub_for = NULL;
			if (snprintf(guest->facts.name,
				     sizeof(guest->facts.name),
				     "%.100s%" PRIu64, first->facts.name,
				     copy) < 0)
				return -EINVAL;
			give_uuid(&guest->facts);
		}
		if (count > 0) {
			strcat(simulator->guests[i].facts.name, "1");
			give_uuid(&simulator->guests[i].facts);
		}
	}
	return 0;
}

static int check_names(struct simulator *simulator, const char *path,
		       struct error *error)
{
	for (size_t i = 0; i < simulator->n_guests; i++) {
		const struct sim_guest *guest = &simulator->guests[i];
		_cleanup_(freep) char *names =
			strdup(guest->needs ? guest->needs : "");
		char *rest = names, *name;

		while (names && (name = strsep(&rest, " ,")))
			if (name[0] && !find_by_name(simulator, name))
				return error_set(error, -EBADMSG,
						 "%s: guest '%s' needs '%s', "
						 "which the scenario lacks",
						 path, guest->facts.name, name);
		if (guest->stub_for &&
		    !find_by_name(simulator, guest->stub_for))
			return error_set(error, -EBADMSG,
					 "%s: '%s' is the stub domain of '%s', "
					 "which the scenario lacks",
					 path, guest->facts.name,
					 guest->stub_for);
	}
	return 0;
}

static int load_scenario(struct simulator *simulator, const char *path,
			 struct error *error)
{
	struct scenario scenario = { .simulator = simulator };
	int r = ini_file_parse_sections(path, take_section, take_key,
					collect_problem, &scenario, error);

	if (r == -ENOENT)
		error_set(error, r, "there is no scenario %s", path);
	if (r == -EBADMSG)
		error_set(error, r, "%s", scenario.problems);
	free(scenario.problems);
	if (r == 0)
		r = make_copies(simulator);
	return r < 0 ? r : check_names(simulator, path, error);
}

/* ---- what lasts from one command to the next ----------------------------- */

/* The clock, and a line per guest. */
static void save_states(struct simulator *simulator)
{
	_cleanup_(fclosep) FILE *file = NULL;

	if (!simulator->state_path)
		return;
	file = fopen(simulator->state_path, "we");
	if (!file)
		return;
	fprintf(file, "clock %" PRIu64 "\n", simulator->now_us);
	for (size_t i = 0; i < simulator->n_guests; i++) {
		const struct sim_guest *guest = &simulator->guests[i];

		fprintf(file, "%zu %d %d %d %" PRIu64 " %d %" PRIu64 "\n", i,
			guest->facts.state, guest->paused,
			guest->facts.agent.state.state,
			guest->facts.agent.state.cycle,
			guest->facts.agent.request.verb,
			guest->facts.agent.request.cycle);
	}
}

static void load_states(struct simulator *simulator)
{
	_cleanup_(fclosep) FILE *file =
		simulator->state_path ? fopen(simulator->state_path, "re")
				      : NULL;
	size_t i;
	unsigned int state, paused, agent, verb;
	uint64_t cycle, request, clock;

	if (!file || fscanf(file, "clock %" SCNu64 "\n", &clock) != 1)
		return;
	simulator->now_us = clock;
	while (fscanf(file, "%zu %u %u %u %" SCNu64 " %u %" SCNu64 "\n", &i,
		      &state, &paused, &agent, &cycle, &verb, &request) == 7) {
		struct sim_guest *guest;

		if (i >= simulator->n_guests || state > GUEST_GONE ||
		    agent > PROTOCOL_AGENT_DEGRADED || verb > PROTOCOL_ABORT)
			return;
		guest = &simulator->guests[i];
		guest->facts.state = (enum guest_state)state;
		guest->paused = paused != 0;
		if (!guest->facts.agent.present)
			continue;
		guest->facts.agent.state = (struct protocol_state){
			(enum protocol_agent_state)agent, cycle
		};
		guest->facts.agent.request =
			(struct protocol_request){ (enum protocol_verb)verb,
						   request };
	}
}

static void sim_close(struct hypervisor *hypervisor)
{
	struct simulator *simulator = simulator_of(hypervisor);

	save_states(simulator);
	for (size_t i = 0; i < simulator->n_guests; i++) {
		free(simulator->guests[i].needs);
		free(simulator->guests[i].stub_for);
	}
	free(simulator->guests);
	free(simulator->heap);
	free(simulator->happened);
	free(simulator->state_path);
	free(simulator);
}

/* One process at a time has the scenario: nothing changes behind its back. */
static int sim_follow(struct hypervisor *hypervisor)
{
	(void)hypervisor;
	return 0;
}

static const struct hypervisor_ops sim_ops = {
	.follow = sim_follow,
	.name = "simulator",
	.close = sim_close,
	.inventory = sim_inventory,
	.prepare = sim_prepare,
	.arm = sim_arm,
	.request = sim_request,
	.retract = sim_retract,
	.look = sim_look,
	.look_at_agent = sim_look_at_agent,
	.examine = sim_examine,
	.settle = sim_settle,
	.pause = sim_pause,
	.unpause = sim_unpause,
	.resume = sim_resume,
	.keep_books = sim_keep_books,
	.wake_agent = sim_wake_agent,
	.fd = sim_fd,
	.next_event = sim_next_event,
};

int simulator_open(const char *path, const char *state_path,
		   struct hypervisor **ret_hypervisor, struct loop **ret_loop,
		   struct sleeper **ret_sleeper, struct error *error)
{
	struct simulator *simulator = calloc(1, sizeof(*simulator));
	char *kept = state_path ? strdup(state_path) : NULL;
	int r;

	if (!simulator || (state_path && !kept)) {
		free(simulator);
		free(kept);
		return error_set(error, -ENOMEM, "out of memory");
	}
	*simulator = (struct simulator){
		.hypervisor.ops = &sim_ops,
		.loop.ops = &sim_loop_ops,
		.sleeper.ops = &sim_sleeper_ops,
		.now_us = CLOCK_START_US,
		.offers_s3 = true,
		.sleep_us = 3600000000ull,
	};
	r = load_scenario(simulator, path, error);
	if (r < 0) {
		sim_close(&simulator->hypervisor);
		free(kept);
		return error_set(error, r, "cannot read the scenario %s: %s",
				 path, strerror(-r));
	}
	simulator->state_path = kept;
	load_states(simulator);
	*ret_hypervisor = &simulator->hypervisor;
	*ret_loop = &simulator->loop;
	*ret_sleeper = &simulator->sleeper;
	return 0;
}
