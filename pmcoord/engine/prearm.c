/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/prearm.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/cycle-id.h"
#include "engine/context.h"
#include "engine/suspend.h"

/*
 * Whether to write the request of cycle `next` for the agent. An agent that
 * already has this request needs it again only if the terms have changed. Any
 * other agent must be ready or degraded, and must have answered its last request.
 */
static bool is_to_be_armed(const struct guest_agent *agent, uint64_t next,
			   const struct agent_terms *terms)
{
	bool answered = agent->state.state == PROTOCOL_AGENT_READY ||
			agent->state.state == PROTOCOL_AGENT_DEGRADED;

	if (agent->request.verb == PROTOCOL_NO_REQUEST)
		return answered;
	if (agent->request.verb == PROTOCOL_SUSPEND && agent->request.cycle == next)
		return !agent_terms_equal(&agent->terms, terms);
	return answered && agent->state.cycle == agent->request.cycle;
}

int prearm_refresh(struct coordinator *coordinator, prearm_inventory_fn callback, void *data,
		   struct error *error)
{
	struct hypervisor *hypervisor = coordinator->hypervisor;
	struct plan plan;
	uint64_t next;
	int r;

	assert(coordinator->roots);
	r = coordinator_plan(coordinator, NULL, &plan, error);
	if (r < 0)
		return r;
	next = cycle_id_next(coordinator->roots, &plan.inventory);
	for (size_t i = 0; i < plan.n_steps; i++) {
		const struct step *step = &plan.steps[i];
		const struct guest *guest = &plan.inventory.guests[step->guest];
		struct domain_id id = domain_id_of(guest);
		struct agent_terms terms = agent_terms_of(coordinator->config, step->timeout_us);

		if (step->mechanism == MECHANISM_NONE)
			continue;
		if (hypervisor->ops->prepare(hypervisor, guest, step->mechanism) == PREPARED &&
		    step->mechanism == MECHANISM_AGENT &&
		    is_to_be_armed(&guest->agent, next, &terms))
			hypervisor->ops->arm(hypervisor, &id, next, &terms);
	}
	if (callback)
		callback(data, &plan.inventory);
	plan_done(&plan);
	return 0;
}
