/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/recover.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/parse.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/selection.h"
#include "model/sleep-manager.h"
#include "host/boot-id.h"
#include "host/sleeper-host.h"
#include "record/journal.h"
#include "engine/context.h"
#include "engine/coordinator.h"

/* ---- recovery ----------------------------------------------------------- */

/*
 * Handles a cycle found on /run, whose context is `coordinator`: resumes some
 * or all of its guests, or leaves them suspended. Returns 0, or a negative
 * errno with `error` set.
 */
typedef int (*take_cycle_fn)(struct coordinator *coordinator, void *data, struct error *error);

/*
 * Renames a journal in which no guest can be read, so the error names the command that
 * lists suspended guests. Returns -ENOTRECOVERABLE.
 */
static int set_aside(struct coordinator *coordinator, uint64_t number, struct error *error)
{
	journal_set_aside(coordinator->roots->journals, number);
	error_replace(error, -ENOTRECOVERABLE,
		      "the journal %s/%" PRIu64
		      " cannot be read and was renamed to %" PRIu64 JOURNAL_SET_ASIDE
		      "; 'xl list' shows guests that may still be suspended (s) or paused (p)",
		      coordinator->roots->journals, number, number);
	error_mark(error, -ENOTRECOVERABLE, OUTCOME_UNRECOVERABLE);
	return -ENOTRECOVERABLE;
}

/* Calls `take` for the cycle `number`, or removes its journal if it is obsolete. */
static int take_cycle(struct coordinator *coordinator, uint64_t number, const char *boot_id,
		      take_cycle_fn take, void *data, struct error *error)
{
	_cleanup_(journal_closep) struct journal *journal = NULL;
	struct coordinator context;
	int r = journal_open(coordinator->roots->journals, number, &journal, error);

	if (r == -EBADMSG || r == -EISDIR || r == -EIO)
		return set_aside(coordinator, number, error);
	if (r < 0)
		return r;
	if (journal_is_obsolete(journal_cycle(journal), boot_id))
		return journal_remove(journal);
	context = context_of_cycle(coordinator, journal);
	return take(&context, data, error);
}

/*
 * Calls `take` for each cycle of this boot. An error in one cycle does not stop the
 * handling of the others. Returns 0 or the first error; -ENOTRECOVERABLE only if there
 * is no other.
 */
static int for_each_cycle(struct coordinator *coordinator, take_cycle_fn take, void *data,
			  struct error *error)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	char boot_id[BOOT_ID_SIZE];
	int n = journal_list(coordinator->roots->journals, &numbers);
	int r = 0, each = boot_id_read(boot_id);

	if (n < 0 || each < 0)
		return error_set(error, n < 0 ? n : each, "cannot read the journals in %s: %s",
				 coordinator->roots->journals, strerror(n < 0 ? -n : -each));
	/* The guests that were suspended last are resumed first. */
	while (n-- > 0) {
		each = take_cycle(coordinator, numbers[n], boot_id, take, data, error);
		if (each < 0 && (r == 0 || r == -ENOTRECOVERABLE))
			r = each;
	}
	return r;
}

/*
 * If the coordinator died after RECORD_MAY_SLEEP and before it recorded the result
 * of the sleep: waits until the host has slept or no sleep is in progress, because
 * no guest may run while the host goes to sleep. Then records the sleep if the
 * host has slept.
 */
static void await_end_of_sleep(struct coordinator *coordinator)
{
	struct sleep_manager *manager = coordinator->sleep_manager;
	const struct cycle *cycle = context_cycle(coordinator);
	uint64_t before_us = (uint64_t)cycle->slept_before_us, slept_us;
	char text[24];

	if (!manager || cycle->slept_before_us == CYCLE_NEVER || cycle->slept_us != CYCLE_NEVER ||
	    cycle->aborted)
		return;
	/*
	 * If this fails, the guests are resumed at once, because they must not
	 * stay suspended.
	 */
	manager->ops->await_end(manager, coordinator->loop, before_us);
	slept_us = manager->ops->slept_us(manager);
	if (slept_us < before_us + SLEEP_MIN_US)
		return;
	snprintf(text, sizeof(text), "%" PRIu64, slept_us - before_us);
	coordinator_record(coordinator, RECORD_SLEPT, text);
}

/* Completes or undoes the cycle, unless its guests are kept suspended. */
static int recover_cycle(struct coordinator *coordinator, void *data, struct error *error)
{
	struct report *report = NULL;
	const struct cycle *cycle = context_cycle(coordinator);
	int r;

	(void)data;
	if (cycle->kept_suspended)
		return 0;
	await_end_of_sleep(coordinator);
	/*
	 * After the host's sleep the cycle ends as usual, without an abort. If the
	 * cycle has ended, only its report or the resume of a stranded guest is
	 * missing.
	 */
	if (!cycle->ended && cycle->slept_us == CYCLE_NEVER)
		coordinator_record(coordinator, RECORD_ABORT,
				   "the coordinator died before the end of the cycle");
	coordinator_resume_guests(coordinator, NULL);
	r = coordinator_finish(coordinator, false, &report, error);
	report_free(report);
	return r;
}

int coordinator_recover(struct coordinator *coordinator, struct error *error)
{
	int r;

	assert(coordinator->roots && !coordinator->journal);
	r = for_each_cycle(coordinator, recover_cycle, NULL, error);
	sleeper_undo_changes(coordinator->roots->sys, coordinator->roots->run);
	return r;
}

/* ---- resuming ----------------------------------------------------------- */

struct resume_params {
	char **names; /* names or domids of guests */
	size_t n_names; /* 0: all guests */
	bool force; /* only the named guests, not those that they need */
	struct resume_result *result;
};

static bool is_named(const struct cycle_guest *guest, const char *name)
{
	uint64_t domid;

	return strcmp(guest->name, name) == 0 ||
	       (parse_u64(name, UINT16_MAX, &domid) == 0 && domid == guest->domid);
}

/* Adds the guests that the selected ones need, directly or through others. */
static void select_needed(const struct cycle *cycle, bool *selected)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < cycle->n_guests; i++) {
			const struct cycle_guest *guest = &cycle->guests[i];

			for (size_t j = 0; selected[i] && j < guest->n_needs; j++) {
				changed |= !selected[guest->needs[j]];
				selected[guest->needs[j]] = true;
			}
		}
	}
}

static bool *select_in_cycle(const struct cycle *cycle, const struct resume_params *params)
{
	bool *selected = calloc(cycle->n_guests + 1, sizeof(*selected));

	if (!selected)
		return NULL;
	for (size_t i = 0; i < cycle->n_guests; i++) {
		selected[i] = params->n_names == 0;
		for (size_t j = 0; j < params->n_names; j++) {
			if (!is_named(&cycle->guests[i], params->names[j]) ||
			    cycle->guests[i].hold == HOLD_NONE)
				continue;
			selected[i] = true;
		}
	}
	if (!params->force)
		select_needed(cycle, selected);
	return selected;
}

/*
 * Returns an array with one element per guest: whether the guest has a hold (enum
 * cycle_hold). The caller frees the array. Returns NULL when out of memory.
 */
static bool *list_holds(const struct cycle *cycle)
{
	bool *holds = calloc(cycle->n_guests + 1, sizeof(*holds));

	for (size_t i = 0; holds && i < cycle->n_guests; i++)
		holds[i] = cycle->guests[i].hold != HOLD_NONE;
	return holds;
}

static void add_result(const struct cycle *cycle, const bool *holds_before,
		       struct resume_result *result)
{
	const char *stranded = cycle_stranded(cycle);

	/* A guest that was destroyed, or that others have resumed, has no hold, but does not count.
	 */
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (holds_before[i] && cycle->guests[i].hold == HOLD_NONE &&
		    !cycle->guests[i].gone && !cycle->guests[i].released)
			result->n_resumed++;
	if (stranded)
		snprintf(result->stranded, sizeof(result->stranded), "%s", stranded);
	result->degraded |= cycle->n_damaged > 0 || cycle->n_unwritten > 0;
	for (size_t i = 0; i < cycle->n_guests; i++)
		result->degraded |= cycle->guests[i].degraded;
}

static int resume_cycle(struct coordinator *coordinator, void *data, struct error *error)
{
	struct resume_params *params = data;
	const struct cycle *cycle = context_cycle(coordinator);
	_cleanup_(freep) bool *holds_before = list_holds(cycle);
	_cleanup_(freep) bool *selected = select_in_cycle(cycle, params);
	bool any = params->n_names == 0;
	int r;

	if (!selected || !holds_before)
		return error_set(error, -ENOMEM, "cannot resume guests: out of memory");
	for (size_t i = 0; i < cycle->n_guests; i++)
		any |= selected[i];
	if (!any)
		return 0;
	if (!cycle->kept_suspended && !cycle->ended)
		coordinator_record(coordinator, RECORD_ABORT,
				   "the coordinator died before the end of the cycle");
	coordinator_resume_guests(coordinator, selected);
	add_result(cycle, holds_before, params->result);
	/* The cycle keeps its journal while one of its guests has a hold. */
	if (cycle_count_holds(cycle) > 0)
		return 0;
	coordinator_prearm(coordinator);
	report_free(params->result->report);
	params->result->report = NULL;
	r = coordinator_finish(coordinator, false, &params->result->report, error);
	params->result->degraded |= cycle->n_unwritten > 0;
	return r;
}

/*
 * Checks that each name is that of a guest. Returns 0, or a negative errno with
 * `error` set.
 */
static int check_names(struct coordinator *coordinator, const struct resume_params *params,
		       struct error *error)
{
	struct inventory inventory = { 0 };
	_cleanup_(freep) bool *selected = NULL;
	int r = coordinator->hypervisor->ops->inventory(coordinator->hypervisor, &inventory, error);

	if (r == 0)
		r = selection_make(&inventory, params->names, params->n_names, &selected, error);
	inventory_done(&inventory);
	return r;
}

static int resume_forced_guest(struct coordinator *coordinator, const struct guest *guest,
			       struct resume_result *result, struct error *error)
{
	struct hypervisor *hypervisor = coordinator->hypervisor;
	struct domain_id id = domain_id_of(guest);
	int r = hypervisor->ops->resume(hypervisor, &id);

	/* Gone, or resumed by its owner meanwhile. */
	if (r == -ESRCH || r == -EBUSY)
		return 0;
	if (r < 0)
		return error_set(error, r, "cannot resume %s: %s", guest->name, strerror(-r));
	result->n_resumed++;
	if (hypervisor->ops->resume_in_xenstore(hypervisor, &id) < 0)
		result->degraded = true;
	return 0;
}

/*
 * Resumes the named guests that are still suspended: another program has suspended them, and
 * the user asks for them by name.
 */
static int resume_forced(struct coordinator *coordinator, const struct resume_params *params,
			 struct error *error)
{
	struct inventory inventory = { 0 };
	_cleanup_(freep) bool *selected = NULL;
	int r = coordinator->hypervisor->ops->inventory(coordinator->hypervisor, &inventory, error);

	if (r == 0)
		r = selection_make(&inventory, params->names, params->n_names, &selected, error);
	for (size_t i = 0; r == 0 && i < inventory.n_guests; i++)
		if (selected[i] && inventory.guests[i].state == GUEST_SUSPENDED)
			r = resume_forced_guest(coordinator, &inventory.guests[i], params->result,
						error);
	inventory_done(&inventory);
	return r;
}

int coordinator_resume(struct coordinator *coordinator, char **names, size_t n_names, bool force,
		       struct resume_result *ret_result, struct error *error)
{
	struct resume_result result = { 0 };
	struct resume_params params = {
		.names = names,
		.n_names = n_names,
		.force = force,
		.result = &result,
	};
	int r = 0;

	assert((names || n_names == 0) && ret_result && !coordinator->journal);
	if (n_names > 0)
		r = check_names(coordinator, &params, error);
	if (r == 0)
		r = for_each_cycle(coordinator, resume_cycle, &params, error);
	if (r == 0 && force && n_names > 0 && !result.stranded[0])
		r = resume_forced(coordinator, &params, error);
	if (r < 0) {
		report_free(result.report);
		return error_set(error, r, "cannot resume guests: %s", strerror(-r));
	}
	*ret_result = result;
	return 0;
}
