/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of the dependencies between guests. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "model/graph.h"
#include "model/inventory.h"
#include "view/findings.h"
#include "check/check.h"

static void check_loops(const struct check_context *context, struct findings *findings)
{
	const char *warning;

	for (size_t i = 0; (warning = graph_warning(context->graph, i)); i++)
		findings_add(
			findings, FINDING_WARNING, "order",
			"break the loop: change SuspendBefore=, or the devices in the guests' configuration",
			"%s", warning);
}

static const char *name_of(const struct inventory *inventory, uint32_t domid)
{
	const struct guest *guest = inventory_find_domid(inventory, domid);

	return guest ? guest->name : NULL;
}

/*
 * Reports unconfirmed links: only one end has recorded the link, and the toolstack
 * has not.
 */
static void check_claims(const struct inventory *inventory, struct findings *findings)
{
	for (size_t i = 0; i < inventory->n_links; i++) {
		const struct link *link = &inventory->links[i];
		const char *frontend = name_of(inventory, link->frontend);
		const char *backend = name_of(inventory, link->backend);

		if (!frontend || !backend || link_is_confirmed(link))
			continue;
		findings_add(
			findings, FINDING_WARNING, link->recorded_by_frontend ? frontend : backend,
			"attach the device again if it is intended; otherwise find out why this guest claims it",
			"the guest claims a %s device between '%s' and '%s' that the other end does not confirm: pmcoord ignores the claim",
			link_class_name(link->class), frontend, backend);
	}
}

void check_order(const struct check_context *context, struct findings *findings)
{
	assert(context && findings);
	if (context->graph)
		check_loops(context, findings);
	if (context->inventory)
		check_claims(context->inventory, findings);
}
