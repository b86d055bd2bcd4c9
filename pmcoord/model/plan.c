/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/plan.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/protocol.h"
#include "model/domain-id.h"

static const char *const mechanism_names[] = {
	[MECHANISM_NONE] = "none",
	[MECHANISM_AGENT] = "agent",
	[MECHANISM_EVENT_CHANNEL] = "event-channel",
	[MECHANISM_XENSTORE] = "xenstore",
	[MECHANISM_HVM] = "hvm",
	[MECHANISM_PAUSE] = "pause",
};
ENUM_COMPLETE(mechanism_names, MECHANISM_PAUSE);

const char *mechanism_name(enum mechanism mechanism)
{
	return ENUM_NAME(mechanism_names, mechanism);
}

int mechanism_parse(const char *name, enum mechanism *ret)
{
	int mechanism;

	assert(name && ret);
	mechanism = ENUM_PARSE(mechanism_names, name);
	if (mechanism < 0)
		return mechanism;
	*ret = (enum mechanism)mechanism;
	return 0;
}

/* Whether control/shutdown has a request to shut down. */
static bool is_leaving(const struct guest *guest)
{
	return guest->state == GUEST_RUNNING && guest->shutdown_node[0] &&
	       strcmp(guest->shutdown_node, PROTOCOL_SHUTDOWN_SUSPEND) != 0;
}

/* Returns why the guest is skipped, or NULL if it is not skipped. */
static const char *reason_to_skip(const struct guest *guest, enum guest_policy policy)
{
	if (policy == POLICY_IGNORE)
		return PLAN_IGNORED;
	switch (guest->state) {
	case GUEST_PAUSED:
		return guest->being_built ? NULL : "already paused";
	case GUEST_SUSPENDED:
		return "already suspended";
	case GUEST_SHUT_DOWN:
	case GUEST_DYING:
	case GUEST_GONE:
		return "already shut down";
	case GUEST_RUNNING:
		break;
	}
	if (strcmp(guest->shutdown_node, PROTOCOL_SHUTDOWN_SUSPEND) == 0)
		return PLAN_BEING_SAVED;
	if (guest->in_acpi_s3)
		return "in ACPI S3, which the guest has entered itself";
	return NULL;
}

enum mechanism plan_choose_mechanism(const struct guest *guest, enum guest_policy policy,
				     const char **ret_reason)
{
	const struct guest_agent *agent = &guest->agent;

	assert(ret_reason);
	*ret_reason = reason_to_skip(guest, policy);
	if (*ret_reason)
		return MECHANISM_NONE;
	if (guest->being_built) {
		*ret_reason = "being built";
		return MECHANISM_PAUSE;
	}
	/* A request would replace the request to shut down. */
	if (is_leaving(guest)) {
		*ret_reason = "shutting down";
		return MECHANISM_PAUSE;
	}
	if (policy == POLICY_PAUSE) {
		*ret_reason = "paused by policy";
		return MECHANISM_PAUSE;
	}
	if (agent->present && agent->version == PROTOCOL_VERSION && agent->port != 0 &&
	    !guest_agent_has_stopped(guest))
		return MECHANISM_AGENT;
	if (agent->present && agent->version != PROTOCOL_VERSION)
		*ret_reason = "its agent speaks an unknown protocol version";
	else if (agent->present && agent->port == 0 && !guest_agent_has_stopped(guest))
		*ret_reason = "its agent has published no event channel";
	if (guest->kernel_port != 0)
		return MECHANISM_EVENT_CHANNEL;
	if (guest->type == GUEST_HVM && !guest->has_pv_drivers)
		return MECHANISM_HVM;
	if (guest->feature_suspend == GUEST_FEATURE_NO) {
		*ret_reason = "its kernel does not support suspend";
		return MECHANISM_PAUSE;
	}
	return MECHANISM_XENSTORE;
}

void plan_done(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->steps);
	free(plan->step_of_guest);
	graph_free(plan->graph);
	inventory_done(&plan->inventory);
	*plan = (struct plan){ 0 };
}

/*
 * Computes the depth of each guest's step: the length of the longest chain of
 * steps that must come before it. Skipped guests do not count; without `by_guest`,
 * all guests count. On suspend, a guest
 * comes after the guests that need it; on resume, after the guests that it needs.
 * Uses Kahn's algorithm (topological sort), so that each edge is visited once.
 */
static int measure_depths(const struct graph *graph, const struct step *by_guest, bool resuming,
			  unsigned int *ret_depth)
{
	size_t n = graph_size(graph);
	size_t *waiting = calloc(n + 1, sizeof(*waiting));
	size_t *queue = calloc(n + 1, sizeof(*queue));
	size_t head = 0, tail = 0;

	if (!waiting || !queue) {
		free(waiting);
		free(queue);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		waiting[i] =
			resuming ? graph_needs(graph, i).n_nodes : graph_serves(graph, i).n_nodes;
		ret_depth[i] = 0;
		if (waiting[i] == 0)
			queue[tail++] = i;
	}
	while (head < tail) {
		size_t node = queue[head++];
		bool counts = !by_guest || by_guest[node].mechanism != MECHANISM_NONE;
		unsigned int depth = ret_depth[node] + counts;
		struct graph_nodes next =
			resuming ? graph_serves(graph, node) : graph_needs(graph, node);

		for (size_t i = 0; i < next.n_nodes; i++) {
			if (depth > ret_depth[next.nodes[i]])
				ret_depth[next.nodes[i]] = depth;
			if (--waiting[next.nodes[i]] == 0)
				queue[tail++] = next.nodes[i];
		}
	}
	free(waiting);
	free(queue);
	return 0;
}

static int compare_guests(const void *a, const void *b)
{
	return guest_compare(a, b);
}

/* Orders steps by depth and rank, then by UUID: the order of guests in the inventory. */
static int compare_steps(const void *a, const void *b)
{
	const struct step *left = a, *right = b;

	if (left->depth != right->depth)
		return left->depth < right->depth ? -1 : 1;
	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return (left->guest > right->guest) - (left->guest < right->guest);
}

int plan_select_dependents(const struct graph *graph, bool *selected)
{
	size_t n = graph_size(graph), n_stack = 0;
	_cleanup_(freep) size_t *stack = calloc(n + 1, sizeof(*stack));

	assert(selected);
	if (!stack)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (selected[i])
			stack[n_stack++] = i;
	while (n_stack > 0) {
		struct graph_nodes serves = graph_serves(graph, stack[--n_stack]);

		for (size_t i = 0; i < serves.n_nodes; i++) {
			if (selected[serves.nodes[i]])
				continue;
			selected[serves.nodes[i]] = true;
			stack[n_stack++] = serves.nodes[i];
		}
	}
	return 0;
}

static void choose_step(const struct guest *guest, const struct config *config, bool is_selected,
			struct step *step)
{
	struct guest_config configured = config_for_guest(config, guest->name);

	step->on_failure = configured.on_failure;
	step->timeout_us = configured.timeout_us;
	step->mechanism = plan_choose_mechanism(guest, configured.policy, &step->reason);
	if (!is_selected) {
		step->mechanism = MECHANISM_NONE;
		step->reason = PLAN_NOT_NAMED;
	}
	if (!is_selected || configured.policy == POLICY_IGNORE)
		return;
	step->is_leaving = is_leaving(guest);
	step->is_stopped = step->mechanism == MECHANISM_NONE &&
			   (guest->state == GUEST_PAUSED || guest->state == GUEST_SUSPENDED);
}

/* Sets the depth and rank of each step, and sorts the steps. */
static int order_steps(struct plan *plan)
{
	size_t n = plan->n_steps;
	_cleanup_(freep) unsigned int *depth = calloc(n + 1, sizeof(*depth));

	_cleanup_(freep) unsigned int *rank = calloc(n + 1, sizeof(*rank));

	if (!depth || !rank || measure_depths(plan->graph, plan->steps, false, depth) < 0 ||
	    measure_depths(plan->graph, NULL, false, rank) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		plan->steps[i].depth = depth[i];
		plan->steps[i].rank = rank[i];
	}
	if (n > 0)
		qsort(plan->steps, n, sizeof(*plan->steps), compare_steps);
	for (size_t i = 0; i < n; i++)
		plan->step_of_guest[plan->steps[i].guest] = i;
	return 0;
}

/* Makes a step for each guest. `selected` is one bool per guest; NULL: all. */
static int make_steps(struct plan *plan, const struct config *config, const bool *selected)
{
	size_t n = plan->inventory.n_guests;

	plan->n_steps = n;
	plan->steps = calloc(n + 1, sizeof(*plan->steps));
	plan->step_of_guest = calloc(n + 1, sizeof(*plan->step_of_guest));
	if (!plan->steps || !plan->step_of_guest)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		plan->steps[i].guest = i;
		choose_step(&plan->inventory.guests[i], config, !selected || selected[i],
			    &plan->steps[i]);
	}
	return order_steps(plan);
}

static bool *copy_selection(const bool *selected, size_t n)
{
	bool *copy = calloc(n + 1, sizeof(*copy));

	if (copy)
		memcpy(copy, selected, n * sizeof(*copy));
	return copy;
}

int plan_make(struct inventory *inventory, const struct config *config, const bool *selected,
	      bool with_dependents, struct plan *ret_plan)
{
	struct plan plan = { .inventory = *inventory };
	_cleanup_(freep) bool *widened = NULL;
	int r;

	assert(config && ret_plan);
	*inventory = (struct inventory){ 0 };
	r = graph_build(&plan.inventory, config, &plan.graph);
	if (r == 0 && selected && with_dependents) {
		widened = copy_selection(selected, plan.inventory.n_guests);
		r = widened ? plan_select_dependents(plan.graph, widened) : -ENOMEM;
	}
	if (r == 0)
		r = make_steps(&plan, config, widened ? widened : selected);
	if (r < 0) {
		plan_done(&plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

/* ---- newcomers ---------------------------------------------------------- */

static const struct guest *find_guest(const struct inventory *inventory, const struct guest *guest)
{
	return inventory->n_guests == 0 ? NULL
					: bsearch(guest, inventory->guests, inventory->n_guests,
						  sizeof(*inventory->guests), compare_guests);
}

/* Adds the plan's guests that are gone, and their links, to a new inventory. */
static int keep_gone(const struct inventory *planned, struct inventory *inventory)
{
	_cleanup_(freep) bool *is_gone = calloc(planned->n_guests + 1, sizeof(*is_gone));
	int r = is_gone ? 0 : -ENOMEM;

	/* The search needs a sorted inventory, so it ends before the first addition. */
	for (size_t i = 0; i < planned->n_guests && r == 0; i++)
		is_gone[i] = !find_guest(inventory, &planned->guests[i]);
	for (size_t i = 0; i < planned->n_guests && r == 0; i++)
		if (is_gone[i])
			r = inventory_add_guest(inventory, &planned->guests[i]);
	for (size_t i = 0; i < planned->n_links && r == 0; i++) {
		const struct link *link = &planned->links[i];
		const struct guest *frontend = inventory_find_domid(planned, link->frontend);
		const struct guest *backend = inventory_find_domid(planned, link->backend);

		if ((frontend && is_gone[frontend - planned->guests]) ||
		    (backend && is_gone[backend - planned->guests]))
			r = inventory_add_link(inventory, link);
	}
	return r < 0 ? r : inventory_finish(inventory);
}

static bool is_selected_step(const struct step *step)
{
	return !step->reason || strcmp(step->reason, PLAN_NOT_NAMED) != 0;
}

/* Whether a selected guest of the plan has the same UUID: it was rebooted. */
static bool is_selected_again(const struct plan *plan, const struct guest *guest)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (is_selected_step(&plan->steps[i]) &&
		    memcmp(plan->inventory.guests[plan->steps[i].guest].uuid, guest->uuid,
			   GUEST_UUID_SIZE) == 0)
			return true;
	return false;
}

/* Fills `by_guest` with the steps of `plan` and those of newcomers, one per guest of `next`. */
static int make_extended(const struct plan *plan, struct plan *next, const struct config *config,
			 bool selects_all, bool with_dependents, struct step *by_guest)
{
	size_t n = next->inventory.n_guests;
	_cleanup_(freep) bool *selected = calloc(n + 1, sizeof(*selected));
	_cleanup_(freep) bool *is_old = calloc(n + 1, sizeof(*is_old));

	if (!selected || !is_old)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];
		const struct guest *guest =
			find_guest(&next->inventory, &plan->inventory.guests[step->guest]);
		size_t to = (size_t)(guest - next->inventory.guests);

		by_guest[to] = *step;
		by_guest[to].guest = to;
		next->steps[i] = by_guest[to];
		selected[to] = is_selected_step(step);
		is_old[to] = true;
	}
	next->n_steps = plan->n_steps;
	for (size_t i = 0; i < n; i++)
		if (!is_old[i])
			selected[i] =
				selects_all || is_selected_again(plan, &next->inventory.guests[i]);
	if (with_dependents && plan_select_dependents(next->graph, selected) < 0)
		return -ENOMEM;
	/* A guest that was not selected is, if it needs a newcomer that is. */
	for (size_t i = 0; i < next->n_steps; i++) {
		size_t guest = next->steps[i].guest;

		if (selected[guest] && !is_selected_step(&next->steps[i])) {
			choose_step(&next->inventory.guests[guest], config, true, &by_guest[guest]);
			next->steps[i] = by_guest[guest];
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (is_old[i])
			continue;
		by_guest[i].guest = i;
		choose_step(&next->inventory.guests[i], config, selected[i], &by_guest[i]);
		next->steps[next->n_steps++] = by_guest[i];
	}
	return 0;
}

/* Orders the newcomers, whose steps begin at `first`, after the other steps. */
static int order_newcomers(struct plan *plan, const struct step *by_guest, size_t first)
{
	size_t n = plan->n_steps;
	_cleanup_(freep) unsigned int *depth = calloc(n + 1, sizeof(*depth));

	if (!depth || measure_depths(plan->graph, by_guest, false, depth) < 0)
		return -ENOMEM;
	for (size_t i = first; i < n; i++)
		plan->steps[i].depth = depth[plan->steps[i].guest];
	if (n > first)
		qsort(plan->steps + first, n - first, sizeof(*plan->steps), compare_steps);
	for (size_t i = 0; i < n; i++)
		plan->step_of_guest[plan->steps[i].guest] = i;
	return 0;
}

static int extend_graph(const struct plan *plan, struct plan *next, const struct config *config)
{
	size_t n = next->inventory.n_guests;
	_cleanup_(freep) size_t *node_before = calloc(n + 1, sizeof(*node_before));

	if (!node_before)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct guest *guest =
			find_guest(&plan->inventory, &next->inventory.guests[i]);

		node_before[i] = guest ? (size_t)(guest - plan->inventory.guests) : GRAPH_NEWCOMER;
	}
	return graph_extend(&next->inventory, config, plan->graph, node_before, &next->graph);
}

int plan_extend(struct plan *plan, struct inventory *inventory, const struct config *config,
		bool selects_all, bool with_dependents)
{
	struct plan next = { .inventory = *inventory };
	_cleanup_(freep) struct step *by_guest = NULL;
	size_t n;
	int r;

	assert(plan && config);
	*inventory = (struct inventory){ 0 };
	r = keep_gone(&plan->inventory, &next.inventory);
	n = next.inventory.n_guests;
	if (r == 0)
		r = extend_graph(plan, &next, config);
	next.steps = calloc(n + 1, sizeof(*next.steps));
	next.step_of_guest = calloc(n + 1, sizeof(*next.step_of_guest));
	by_guest = calloc(n + 1, sizeof(*by_guest));
	if (!next.steps || !next.step_of_guest || !by_guest)
		r = -ENOMEM;
	if (r == 0)
		r = make_extended(plan, &next, config, selects_all, with_dependents, by_guest);
	if (r == 0)
		r = order_newcomers(&next, by_guest, plan->n_steps);
	if (r < 0) {
		plan_done(&next);
		return r;
	}
	plan_done(plan);
	*plan = next;
	return 0;
}

/* ---- searches ----------------------------------------------------------- */

int plan_walk_init(struct plan_walk *walk, const struct plan *plan)
{
	size_t n = plan->n_steps;

	*walk = (struct plan_walk){
		.plan = plan,
		.found = calloc(n + 1, sizeof(*walk->found)),
		.stack = calloc(n + 1, sizeof(*walk->stack)),
		.visited_in = calloc(n + 1, sizeof(*walk->visited_in)),
	};
	if (walk->found && walk->stack && walk->visited_in)
		return 0;
	plan_walk_done(walk);
	return -ENOMEM;
}

void plan_walk_done(struct plan_walk *walk)
{
	if (!walk)
		return;
	free(walk->found);
	free(walk->stack);
	free(walk->visited_in);
	*walk = (struct plan_walk){ 0 };
}

void plan_find_before(struct plan_walk *walk, size_t guest, bool resuming)
{
	const struct plan *plan = walk->plan;
	size_t n_stack = 0;

	assert(guest < plan->n_steps);
	walk->n_found = 0;
	walk->n_searches++;
	walk->stack[n_stack++] = guest;
	while (n_stack > 0) {
		size_t node = walk->stack[--n_stack];
		struct graph_nodes before =
			resuming ? graph_needs(plan->graph, node) : graph_serves(plan->graph, node);

		for (size_t i = 0; i < before.n_nodes; i++) {
			size_t other = before.nodes[i];
			const struct step *step = &plan->steps[plan->step_of_guest[other]];

			if (walk->visited_in[other] == walk->n_searches)
				continue;
			walk->visited_in[other] = walk->n_searches;
			if (step->mechanism == MECHANISM_NONE)
				walk->stack[n_stack++] = other;
			else
				walk->found[walk->n_found++] = other;
		}
	}
}

int plan_resume_depths(const struct plan *plan, unsigned int *ret)
{
	_cleanup_(freep) struct step *by_guest = calloc(plan->n_steps + 1, sizeof(*by_guest));

	assert(ret);
	if (!by_guest)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_steps; i++)
		by_guest[i] = plan->steps[plan->step_of_guest[i]];
	return measure_depths(plan->graph, by_guest, true, ret);
}
