/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/hypervisor.h"

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
