/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/hypervisor.h"

#include <assert.h>
#include <stdio.h>

void hypervisor_close(struct hypervisor *hypervisor)
{
	if (hypervisor)
		hypervisor->ops->close(hypervisor);
}

struct agent_terms agent_terms_of(const struct config *config, uint64_t timeout_us)
{
	return (struct agent_terms){
		.timeout_us = timeout_us < config->deadline_us ? timeout_us : config->deadline_us,
		.ignore_inhibitors = !config->honour_inhibitors,
	};
}

bool agent_terms_equal(const struct agent_terms *a, const struct agent_terms *b)
{
	return a->timeout_us / 1000 == b->timeout_us / 1000 &&
	       a->ignore_inhibitors == b->ignore_inhibitors;
}

bool hypervisor_is_taken(struct hypervisor *hypervisor, const struct domain_id *id,
			 enum mechanism mechanism, uint64_t cycle, bool has_quiesced)
{
	struct agent_state agent;

	assert(hypervisor && id);
	if (mechanism == MECHANISM_AGENT && !has_quiesced &&
	    hypervisor->ops->get_agent_state(hypervisor, id, &agent) == 0 &&
	    (agent.state.state != PROTOCOL_AGENT_QUIESCED || agent.state.cycle != cycle))
		return true;
	return hypervisor->ops->get_request_owner(hypervisor, id, mechanism, true) ==
	       REQUEST_OF_ANOTHER;
}

const char *hypervisor_format_taken(const char *name, char *ret)
{
	assert(name && ret);
	snprintf(ret, HYPERVISOR_TAKEN_SIZE,
		 "another program suspends it; 'pmcoord resume --force %s' resumes it", name);
	return ret;
}
