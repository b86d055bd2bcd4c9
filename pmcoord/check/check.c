/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check/check.h"

#include <assert.h>
#include <stddef.h>

#include "pmcoord/cleanup.h"

void check_all(const struct check_context *context, struct findings *findings)
{
	static void (*const groups[])(const struct check_context *, struct findings *) = {
		check_host, check_systemd, check_config, check_order, check_guests, check_cycles,
	};

	assert(context && context->config && findings);
	for (size_t i = 0; i < ELEMENTSOF(groups); i++)
		groups[i](context, findings);
}
