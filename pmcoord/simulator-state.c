/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/simulator-host.h"

#include <inttypes.h>
#include <stdio.h>

#include "pmcoord/cleanup.h"

/* The clock, and a line per guest. */
void simulator_save_states(const struct simulator *simulator)
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

void simulator_load_states(struct simulator *simulator)
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
