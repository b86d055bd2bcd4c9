/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/simulator-state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/protocol.h"
#include "model/inventory.h"

/* Flags in a guest's line of the state file. */
#define IS_REQUESTED 1u
#define IS_WATCHED 2u
#define HAS_BOOTED 4u
#define HAS_REBOOTED 8u
#define IS_RESTORING 16u

static void save_guest(const struct sim_guest *guest, size_t i, FILE *file)
{
	unsigned int bits =
		(guest->requested ? IS_REQUESTED : 0) | (guest->watched ? IS_WATCHED : 0) |
		(guest->boot_us == 0 ? HAS_BOOTED : 0) | (guest->reboots ? HAS_REBOOTED : 0) |
		(guest->restoring ? IS_RESTORING : 0);

	fprintf(file, "guest %zu %d %u %u %u %d %" PRIu64 " %d %" PRIu64 "\n", i,
		guest->facts.state, guest->pauses, bits, guest->generation,
		guest->facts.agent.state.state, guest->facts.agent.state.cycle,
		guest->facts.agent.request.verb, guest->facts.agent.request.cycle);
}

static void save_event(const struct sim_event *event, const char *word, FILE *file)
{
	fprintf(file, "%s %" PRIu64 " %" PRIu64 " %zu %u %d\n", word, event->at_us, event->order,
		event->guest, event->generation, event->type);
}

static void save_machine(const struct simulator *simulator, FILE *file)
{
	fprintf(file, "clock %" PRIu64 " %" PRIu64 " %d\n", simulator->now_us,
		simulator->next_order, simulator->started);
	for (size_t i = 0; i < simulator->n_guests; i++)
		save_guest(&simulator->guests[i], i, file);
	for (size_t i = 0; i < simulator->n_heap; i++)
		save_event(&simulator->heap[i], "event", file);
	for (size_t i = 0; i < simulator->n_deferred; i++)
		save_event(&simulator->deferred[i], "frozen", file);
}

void sim_state_save(const struct simulator *simulator)
{
	_cleanup_(freep) char *temporary = NULL;
	FILE *file;
	bool written;

	if (!simulator->state_path || asprintf(&temporary, "%s.new", simulator->state_path) < 0)
		return;
	file = fopen(temporary, "we");
	if (!file)
		return;
	save_machine(simulator, file);
	written = !ferror(file);
	if (fclose(file) == 0 && written)
		rename(temporary, simulator->state_path);
}

static bool load_guest(struct simulator *simulator, const char *line)
{
	unsigned int state, pauses, bits, generation, agent, verb;
	uint64_t agent_cycle, request_cycle;
	struct sim_guest *guest;
	size_t i;

	if (sscanf(line, "guest %zu %u %u %u %u %u %" SCNu64 " %u %" SCNu64 "\n", &i, &state,
		   &pauses, &bits, &generation, &agent, &agent_cycle, &verb, &request_cycle) != 9 ||
	    i >= simulator->n_guests || state > GUEST_GONE || agent > PROTOCOL_AGENT_DEGRADED ||
	    verb > PROTOCOL_ABORT)
		return false;
	guest = &simulator->guests[i];
	guest->facts.state = (enum guest_state)state;
	guest->pauses = pauses;
	guest->requested = bits & IS_REQUESTED;
	guest->watched = bits & IS_WATCHED;
	guest->restoring = bits & IS_RESTORING;
	guest->generation = generation;
	if ((bits & HAS_BOOTED) && guest->boot_us > 0) {
		guest->boot_us = 0;
		guest->facts.feature_suspend = GUEST_FEATURE_YES;
	}
	if (bits & HAS_REBOOTED) {
		guest->reboots = 1;
		guest->facts.domid = sim_domid(simulator, i);
		guest->facts.shutdown_node[0] = '\0';
		guest->fate = SIM_STAYS;
	}
	if (!guest->facts.agent.present)
		return true;
	guest->facts.agent.state =
		(struct protocol_state){ (enum protocol_agent_state)agent, agent_cycle };
	guest->facts.agent.request =
		(struct protocol_request){ (enum protocol_verb)verb, request_cycle };
	return true;
}

/*
 * Schedules the event that a line describes. Returns 1, 0 if the line describes no
 * event, or -1 when out of memory.
 */
static int load_event(struct simulator *simulator, const char *line)
{
	struct sim_event event;
	unsigned int type;
	char word[8];

	if (sscanf(line, "%7s %" SCNu64 " %" SCNu64 " %zu %u %u\n", word, &event.at_us,
		   &event.order, &event.guest, &event.generation, &type) != 6 ||
	    event.guest >= simulator->n_guests || type >= SIM_N_EVENT_TYPES)
		return 0;
	/*
	 * Deferred events are scheduled, too. Their time has passed, so the
	 * first wait handles them. If a guest is still paused, its event is
	 * then deferred again.
	 */
	event.type = (enum sim_event_type)type;
	return sim_schedule_event(simulator, &event) < 0 ? -1 : 1;
}

int sim_state_load(struct simulator *simulator)
{
	_cleanup_(fclosep) FILE *file =
		simulator->state_path ? fopen(simulator->state_path, "re") : NULL;
	uint64_t clock, next_order;
	char line[256];
	int started, r;

	/* The caller has loaded the scenario, and no event is scheduled yet. */
	assert(!simulator->started && simulator->n_heap == 0);
	if (!file || !fgets(line, sizeof(line), file) ||
	    sscanf(line, "clock %" SCNu64 " %" SCNu64 " %d\n", &clock, &next_order, &started) != 3)
		return 0;
	simulator->now_us = clock;
	simulator->next_order = next_order;
	simulator->started = started != 0;
	while (fgets(line, sizeof(line), file)) {
		if (load_guest(simulator, line))
			continue;
		r = load_event(simulator, line);
		if (r <= 0)
			return r;
	}
	return 0;
}
