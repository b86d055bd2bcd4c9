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
#include "pmcoord/simulator-host.h"

/* Where the virtual clock starts: not at 0, which would hide mistakes. */
#define CLOCK_START_US 1000000

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

/* Whether the scenario wants this call of the verb to fail. */
static bool fails(struct hypervisor *hypervisor, enum sim_verb verb)
{
	struct simulator *simulator = simulator_of(hypervisor);

	return ++simulator->calls[verb] == simulator->fails_at[verb];
}

static int add_links(const struct simulator *simulator,
		     struct inventory *inventory, struct link link,
		     const struct sim_links *links)
{
	int r = 0;

	for (size_t i = 0; i < links->n_guests && r == 0; i++) {
		link.backend = simulator->guests[links->guests[i]].facts.domid;
		r = inventory_add_link(inventory, &link);
	}
	return r;
}

static int add_guest_links(const struct simulator *simulator,
			   struct inventory *inventory,
			   const struct sim_guest *guest)
{
	struct link link = {
		.frontend = guest->facts.domid,
		.class = LINK_NETWORK,
		.said_by_frontend = true,
	};
	int r = add_links(simulator, inventory, link, &guest->claims);

	link.said_by_backend = true;
	link.said_by_toolstack = guest->has_record;
	if (r == 0)
		r = add_links(simulator, inventory, link, &guest->needs);
	if (r == 0 && guest->stub_for != SIZE_MAX) {
		link = (struct link){
			.frontend =
				simulator->guests[guest->stub_for].facts.domid,
			.backend = guest->facts.domid,
			.class = LINK_DEVICE_MODEL,
			.said_by_toolstack = true,
		};
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

	if (fails(hypervisor, VERB_INVENTORY))
		return error_set(error, -EIO,
				 "the simulated Xen does not answer (Fail= in "
				 "the scenario)");
	for (size_t i = 0; i < simulator->n_guests && r == 0; i++) {
		const struct sim_guest *guest = &simulator->guests[i];

		if (guest->facts.state == GUEST_GONE)
			continue;
		r = inventory_add_guest(&inventory, &guest->facts);
		if (r == 0)
			r = add_guest_links(simulator, &inventory, guest);
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

	if (fails(hypervisor, VERB_PREPARE))
		return -EIO;
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
	if (fails(hypervisor, VERB_ARM))
		return -EIO;
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

	if (fails(hypervisor, VERB_REQUEST))
		return -EIO;
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

	if (fails(hypervisor, VERB_RETRACT))
		return -EIO;
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

	if (fails(hypervisor, VERB_LOOK))
		return -EIO;
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
	(void)id;
	if (fails(hypervisor, VERB_SETTLE))
		return -EIO;
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
	return fails(hypervisor, VERB_PAUSE) ? -EIO
					     : set_paused(hypervisor, id, true);
}

static int sim_unpause(struct hypervisor *hypervisor,
		       const struct domain_id *id)
{
	return fails(hypervisor, VERB_UNPAUSE)
		       ? -EIO
		       : set_paused(hypervisor, id, false);
}

static int sim_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct simulator *simulator = simulator_of(hypervisor);
	struct sim_guest *guest = find(hypervisor, id);

	if (fails(hypervisor, VERB_RESUME))
		return -EIO;
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
	if (fails(hypervisor, VERB_KEEP_BOOKS))
		return -EIO;
	return find(hypervisor, id) ? 0 : -ESRCH;
}

static int sim_wake_agent(struct hypervisor *hypervisor,
			  const struct domain_id *id)
{
	struct sim_guest *guest = find(hypervisor, id);

	if (fails(hypervisor, VERB_WAKE_AGENT))
		return -EIO;
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

static void sim_close(struct hypervisor *hypervisor)
{
	struct simulator *simulator = simulator_of(hypervisor);

	simulator_save_states(simulator);
	scenario_done(simulator);
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
	r = scenario_load(simulator, path, error);
	if (r < 0) {
		sim_close(&simulator->hypervisor);
		free(kept);
		return error_set(error, r, "cannot read the scenario %s: %s",
				 path, strerror(-r));
	}
	simulator->state_path = kept;
	simulator_load_states(simulator);
	*ret_hypervisor = &simulator->hypervisor;
	*ret_loop = &simulator->loop;
	*ret_sleeper = &simulator->sleeper;
	return 0;
}
