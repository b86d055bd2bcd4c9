/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/census.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/error.h"
#include "base/domid-index.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/graph.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "record/journal.h"

/* ---- the domains -------------------------------------------------------- */

int census_take(const struct coordinator *context, struct census *ret)
{
	struct hypervisor *hypervisor = context->hypervisor;

	assert(hypervisor && ret);
	*ret = (struct census){ 0 };
	return hypervisor->ops->list_domains(hypervisor, &ret->domains, &ret->n);
}

void census_done(struct census *census)
{
	if (!census)
		return;
	free(census->domains);
	*census = (struct census){ 0 };
}

static int compare_domids(const void *key, const void *element)
{
	uint32_t domid = *(const uint32_t *)key;
	const struct listed_domain *listed = element;

	return (domid > listed->id.domid) - (domid < listed->id.domid);
}

static struct domain_state state_of(const struct census *census, const struct cycle_guest *guest)
{
	struct domain_id id = cycle_guest_id(guest);
	const struct listed_domain *found =
		census->n == 0 ? NULL
			       : bsearch(&guest->domid, census->domains, census->n,
					 sizeof(*census->domains), compare_domids);

	if (found && domain_id_equal(&found->id, &id))
		return found->state;
	return (struct domain_state){ .state = GUEST_GONE, .end = GUEST_DESTROYED };
}

/* Whether the guest has another domain now: it was rebooted by its toolstack. */
static bool has_other_domain(const struct census *census, const struct cycle_guest *guest)
{
	for (size_t i = 0; i < census->n; i++)
		if (census->domains[i].id.domid != guest->domid &&
		    memcmp(census->domains[i].id.uuid, guest->uuid, GUEST_UUID_SIZE) == 0)
			return true;
	return false;
}

static uint32_t domid_at(const void *guests, size_t i)
{
	return ((const struct cycle_guest *)guests)[i].domid;
}

static bool is_in_cycle(const struct cycle *cycle, const struct domid_index *index,
			const struct domain_id *id)
{
	size_t n;
	const struct domid_entry *entries = domid_index_find(index, id->domid, &n);

	for (size_t i = 0; i < n; i++) {
		struct domain_id known = cycle_guest_id(&cycle->guests[entries[i].element]);

		if (domain_id_equal(&known, id))
			return true;
	}
	return false;
}

bool census_has_newcomer(const struct census *census, const struct coordinator *context)
{
	const struct cycle *cycle = context_cycle(context);
	struct domid_index index;
	bool found = false;

	/* When out of memory, look at the inventory. */
	if (domid_index_make(&index, cycle->guests, cycle->n_guests, domid_at) < 0)
		return true;
	for (size_t i = 0; i < census->n && !found; i++)
		found = !is_in_cycle(cycle, &index, &census->domains[i].id);
	domid_index_done(&index);
	return found;
}

/* ---- guests of the cycle ------------------------------------------------ */

static int record(const struct coordinator *context, enum record_type type, size_t i,
		  const char *text)
{
	return journal_record(context->journal, type, loop_now(context->loop), i, "%s", text);
}

static bool is_ignored(const struct coordinator *context, const char *name)
{
	return config_for_guest(context->config, name).policy == POLICY_IGNORE;
}

/* Whether nothing is to be said about the guest: e.g. a command has not named it. */
static bool is_no_concern(const struct coordinator *context, const struct cycle_guest *guest)
{
	return guest->lost || strcmp(guest->detail, PLAN_NOT_NAMED) == 0 ||
	       is_ignored(context, guest->name);
}

static int record_end(const struct census *census, const struct coordinator *context, size_t i)
{
	const struct cycle_guest *guest = &context_cycle(context)->guests[i];
	struct domain_state state = state_of(census, guest);

	/* How it has ended was unknown until its next domain appeared. */
	if (guest->gone != GUEST_NOT_ENDED && guest->gone != GUEST_DESTROYED)
		return 0;
	if (state.end == GUEST_DESTROYED && has_other_domain(census, guest))
		state.end = GUEST_REBOOTED;
	if (state.end == guest->gone)
		return 0;
	return record(context, RECORD_GONE, i, guest_end_name(state.end));
}

int census_record_ends(const struct census *census, const struct coordinator *context)
{
	const struct cycle *cycle = context_cycle(context);
	int r = 0;

	for (size_t i = 0; i < cycle->n_guests && r == 0; i++)
		if (!is_no_concern(context, &cycle->guests[i]))
			r = record_end(census, context, i);
	return r;
}

int census_record_running(const struct census *census, const struct coordinator *context)
{
	const struct cycle *cycle = context_cycle(context);
	int r = 0;

	for (size_t i = 0; i < cycle->n_guests && r == 0; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];

		if (!is_no_concern(context, guest) &&
		    state_of(census, guest).state == GUEST_RUNNING)
			r = record(context, RECORD_STILL_RUNS, i, "");
	}
	return r;
}

/* ---- newcomers ---------------------------------------------------------- */

/* Whether an earlier guest of the cycle is the same guest in another domain. */
static bool was_rebooted(const struct cycle *cycle, size_t newcomer)
{
	for (size_t i = 0; i < newcomer; i++)
		if (memcmp(cycle->guests[i].uuid, cycle->guests[newcomer].uuid, GUEST_UUID_SIZE) ==
		    0)
			return true;
	return false;
}

static int record_appeared(const struct coordinator *context, size_t i)
{
	const struct cycle *cycle = context_cycle(context);

	return record(context, RECORD_APPEARED, i,
		      was_rebooted(cycle, i) ? "was rebooted during the cycle"
					     : "appeared during the cycle");
}

static int add_step(const struct coordinator *context, const struct plan *plan, size_t i)
{
	const struct step *step = &plan->steps[i];
	int r = journal_add_guest(context->journal, plan, step, loop_now(context->loop));

	if (r < 0 ||
	    (step->mechanism == MECHANISM_NONE && (strcmp(step->reason, PLAN_NOT_NAMED) == 0 ||
						   strcmp(step->reason, PLAN_IGNORED) == 0)))
		return r;
	return record_appeared(context, i);
}

static bool is_recorded(const struct cycle_guest *guest, size_t needed)
{
	for (size_t i = 0; i < guest->n_needs; i++)
		if (guest->needs[i] == needed)
			return true;
	return false;
}

/*
 * Records what the guest of step `i` needs, if that has changed: it can need a newcomer, and a
 * newcomer can close a dependency loop, which is then broken at another link.
 */
static int update_needs(const struct coordinator *context, const struct plan *plan, size_t i)
{
	struct graph_nodes needs = graph_needs(plan->graph, plan->steps[i].guest);
	const struct cycle_guest *guest = &context_cycle(context)->guests[i];
	bool is_same = needs.n_nodes == guest->n_needs;

	for (size_t j = 0; j < needs.n_nodes && is_same; j++)
		is_same = is_recorded(guest, plan->step_of_guest[needs.nodes[j]]);
	return is_same ? 0
		       : journal_record_needs(context->journal, plan, i, loop_now(context->loop));
}

/* Records the mechanism of a guest that was skipped, and takes part because of a newcomer. */
static int update_mechanism(const struct coordinator *context, const struct plan *plan, size_t i)
{
	enum mechanism mechanism = plan->steps[i].mechanism;

	if (context_cycle(context)->guests[i].mechanism != MECHANISM_NONE ||
	    mechanism == MECHANISM_NONE)
		return 0;
	return record(context, RECORD_MECHANISM, i, mechanism_name(mechanism));
}

int census_add_newcomers(const struct census *census, const struct coordinator *context,
			 const struct census_scope *scope, struct plan *plan)
{
	struct hypervisor *hypervisor = context->hypervisor;
	struct inventory inventory = { 0 };
	struct error error = { 0 };
	size_t n_old = plan->n_steps;
	int r;

	if (!census_has_newcomer(census, context))
		return 0;
	r = hypervisor->ops->inventory(hypervisor, &inventory, &error);
	if (r == 0)
		r = plan_extend(plan, &inventory, context->config, scope->selects_all,
				scope->with_dependents);
	for (size_t i = 0; i < n_old && r == 0; i++)
		r = update_mechanism(context, plan, i);
	for (size_t i = n_old; i < plan->n_steps && r == 0; i++)
		r = add_step(context, plan, i);
	for (size_t i = 0; i < n_old && r == 0; i++)
		r = update_needs(context, plan, i);
	return r < 0 ? r : plan->n_steps > n_old;
}

static int record_unsuspended(const struct coordinator *context, const struct guest *guest)
{
	size_t i = context_cycle(context)->n_guests;
	int r = journal_add_skipped(context->journal, guest, loop_now(context->loop));

	if (r == 0)
		r = record(context, RECORD_SKIP, i, "");
	return r < 0 ? r : record_appeared(context, i);
}

int census_record_newcomers(const struct census *census, const struct coordinator *context)
{
	struct hypervisor *hypervisor = context->hypervisor;
	const struct cycle *cycle = context_cycle(context);
	struct inventory inventory = { 0 };
	struct domid_index index = { 0 };
	struct error error = { 0 };
	int r;

	if (!census_has_newcomer(census, context))
		return 0;
	r = hypervisor->ops->inventory(hypervisor, &inventory, &error);
	if (r == 0)
		r = domid_index_make(&index, cycle->guests, cycle->n_guests, domid_at);
	for (size_t i = 0; i < inventory.n_guests && r == 0; i++) {
		const struct guest *guest = &inventory.guests[i];
		struct domain_id id = domain_id_of(guest);

		if (!is_in_cycle(cycle, &index, &id) && !is_ignored(context, guest->name))
			r = record_unsuspended(context, guest);
	}
	domid_index_done(&index);
	inventory_done(&inventory);
	return r;
}
