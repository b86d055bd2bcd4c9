/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/boot-id.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "model/selection.h"

/* ---- finding them ------------------------------------------------------- */

/*
 * The cycles on /run that belong to this boot, the context of each handed to
 * `take`; journals of an earlier boot hold nobody and are removed. A journal
 * that cannot be read does not stop the others; its error is returned in the
 * end.
 */
typedef int (*take_cycle_fn)(struct coordinator *coordinator, void *data, struct error *error);

/* A journal that says nothing: whom it held is for the owner to find out. */
static int give_up_on(struct coordinator *coordinator, uint64_t number, struct error *error)
{
	journal_set_aside(coordinator->roots->journals, number);
	error_replace(
		error, -ENOTRECOVERABLE,
		"the journal %s/%" PRIu64
		" cannot be read and was set aside: 'xl list' shows (as s or p) whom it may have held",
		coordinator->roots->journals, number);
	error_mark(error, -ENOTRECOVERABLE, OUTCOME_UNRECOVERABLE);
	return -ENOTRECOVERABLE;
}

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
	/* The last to go down is the first to come back. */
	while (n-- > 0) {
		_cleanup_(journal_closep) struct journal *journal = NULL;

		each = journal_open(coordinator->roots->journals, numbers[n], &journal, error);
		if (each == -EBADMSG)
			each = give_up_on(coordinator, numbers[n], error);
		if (each == 0 && strcmp(journal_cycle(journal)->head.boot_id, boot_id) != 0) {
			each = journal_remove(journal);
		} else if (each == 0) {
			struct coordinator context = context_of_cycle(coordinator, journal);

			each = take(&context, data, error);
		}
		r = r < 0 ? r : each;
	}
	return r;
}

/*
 * Its coordinator died when the host was free to sleep. Guests must not run
 * while it does: waits for the wake, or until there is no sleep under way.
 */
static int await_sleep(struct coordinator *coordinator)
{
	struct sleep_manager *manager = coordinator->sleep_manager;
	const struct cycle *cycle = context_cycle(coordinator);
	uint64_t before_us = (uint64_t)cycle->slept_before_us, slept_us;
	char text[24];

	if (!manager || cycle->slept_before_us == CYCLE_NEVER || cycle->slept_us != CYCLE_NEVER ||
	    cycle->aborted)
		return 0;
	/* If that cannot be waited for, at least nobody is stranded. */
	manager->ops->await_end(manager, coordinator->loop, before_us);
	slept_us = manager->ops->slept_us(manager);
	if (slept_us < before_us + SLEEP_MIN_US)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, slept_us - before_us);
	return coordinator_record(coordinator, RECORD_SLEPT, text);
}

/* A cycle that is not held and whose coordinator is gone: undo it. */
static int undo_if_abandoned(struct coordinator *coordinator, void *data, struct error *error)
{
	struct report *report = NULL;
	const struct cycle *cycle = context_cycle(coordinator);
	int r;

	(void)data;
	if (cycle->kept_suspended)
		return 0;
	r = await_sleep(coordinator);
	/*
	 * One that has slept is finished, not undone; and one that has ended
	 * was only short of its report.
	 */
	if (r == 0 && !cycle->ended && cycle->slept_us == CYCLE_NEVER)
		r = coordinator_record(coordinator, RECORD_ABORT,
				       "its coordinator died before the end");
	if (r == 0)
		r = coordinator_resume_guests(coordinator, NULL);
	if (r == 0)
		r = coordinator_finish(coordinator, false, &report, error);
	report_free(report);
	return r;
}

int coordinator_recover(struct coordinator *coordinator, struct error *error)
{
	return for_each_cycle(coordinator, undo_if_abandoned, NULL, error);
}

/* ---- resuming ----------------------------------------------------------- */

struct resume_params {
	char **names;
	size_t n_names;
	bool force;
	bool *found; /* per name: it is a guest that a cycle holds */
	struct resume_result *result;
};

static bool is_named(const struct cycle_guest *guest, const char *name)
{
	uint64_t domid;

	return strcmp(guest->name, name) == 0 ||
	       (parse_u64(name, UINT16_MAX, &domid) == 0 && domid == guest->domid);
}

/* Adds what the selected ones need, so that the law of order holds. */
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
			params->found[j] = true;
		}
	}
	if (!params->force)
		select_needed(cycle, selected);
	return selected;
}

/* Which guests the cycle holds; the caller's, NULL without memory. */
static bool *note_held(const struct cycle *cycle)
{
	bool *held = calloc(cycle->n_guests + 1, sizeof(*held));

	for (size_t i = 0; held && i < cycle->n_guests; i++)
		held[i] = cycle->guests[i].hold != HOLD_NONE;
	return held;
}

static void note_result(const struct cycle *cycle, const bool *held_before,
			struct resume_result *result)
{
	const char *stranded = cycle_stranded(cycle);

	/* One that was destroyed meanwhile is held no more, but not back. */
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (held_before[i] && cycle->guests[i].hold == HOLD_NONE && !cycle->guests[i].gone)
			result->n_resumed++;
	if (stranded)
		snprintf(result->stranded, sizeof(result->stranded), "%s", stranded);
	for (size_t i = 0; i < cycle->n_guests; i++)
		result->degraded |= cycle->guests[i].degraded;
}

static int resume_cycle(struct coordinator *coordinator, void *data, struct error *error)
{
	struct resume_params *params = data;
	const struct cycle *cycle = context_cycle(coordinator);
	_cleanup_(freep) bool *held_before = note_held(cycle);
	_cleanup_(freep) bool *selected = select_in_cycle(cycle, params);
	bool any = params->n_names == 0;
	int r = 0;

	if (!selected || !held_before)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < cycle->n_guests; i++)
		any |= selected[i];
	if (!any)
		return 0;
	if (!cycle->kept_suspended && !cycle->ended)
		r = coordinator_record(coordinator, RECORD_ABORT,
				       "its coordinator died before the end");
	if (r == 0)
		r = coordinator_resume_guests(coordinator, selected);
	note_result(cycle, held_before, params->result);
	if (r < 0)
		return error_set(error, r, "cannot write the journal: %s", strerror(-r));
	/* What is still held keeps its journal. */
	if (cycle_count_holds(cycle) > 0)
		return 0;
	coordinator_prearm(coordinator);
	report_free(params->result->report);
	params->result->report = NULL;
	return coordinator_finish(coordinator, false, &params->result->report, error);
}

/* A name that no cycle holds must at least be a guest's. */
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

int coordinator_resume(struct coordinator *coordinator, char **names, size_t n_names, bool force,
		       struct resume_result *ret_result, struct error *error)
{
	struct resume_result result = { 0 };
	_cleanup_(freep) bool *found = calloc(n_names + 1, sizeof(*found));
	struct resume_params params = {
		.names = names,
		.n_names = n_names,
		.force = force,
		.found = found,
		.result = &result,
	};
	int r = found ? 0 : -ENOMEM;

	if (r == 0 && n_names > 0)
		r = check_names(coordinator, &params, error);
	if (r == 0)
		r = for_each_cycle(coordinator, resume_cycle, &params, error);
	if (r < 0) {
		report_free(result.report);
		return error_set(error, r, "cannot resume: %s", strerror(-r));
	}
	*ret_result = result;
	return 0;
}
