/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/recover.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/parse.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/selection.h"
#include "model/sleep-manager.h"
#include "host/boot-id.h"
#include "host/sleeper-host.h"
#include "record/journal.h"
#include "engine/context.h"
#include "engine/coordinator.h"
#include "engine/resume.h"
#include "engine/take-over.h"

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

	if (r == -ENOENT)
		return 0; /* its guests were taken over */
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
 * Calls `take` for each cycle of this boot, from the last to the first, because the guests
 * that were suspended last are resumed first; with `first_to_last`, the other way. An error in one
 * cycle does not stop the handling of the others. Returns 0 or the first error; -ENOTRECOVERABLE
 * only if there is no other.
 */
static int for_each_cycle(struct coordinator *coordinator, bool first_to_last, take_cycle_fn take,
			  void *data, struct error *error)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	char boot_id[BOOT_ID_SIZE];
	int n = journal_list(coordinator->roots->journals, &numbers);
	int r = 0, each = boot_id_read(boot_id);

	if (n < 0 || each < 0)
		return error_set(error, n < 0 ? n : each, "cannot read the journals in %s: %s",
				 coordinator->roots->journals, strerror(n < 0 ? -n : -each));
	for (int i = 0; i < n; i++) {
		uint64_t number = numbers[first_to_last ? i : n - 1 - i];

		each = take_cycle(coordinator, number, boot_id, take, data, error);
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

/* ---- what a cycle has done ---------------------------------------------- */

/* What is known of a guest before it is resumed. */
struct before {
	enum cycle_hold hold;
	int64_t running_us;
};

/*
 * Returns what is known of each guest. The caller frees the array. Returns NULL when out of
 * memory.
 */
static struct before *note_guests(const struct cycle *cycle)
{
	struct before *before = calloc(cycle->n_guests + 1, sizeof(*before));

	for (size_t i = 0; before && i < cycle->n_guests; i++)
		before[i] = (struct before){
			.hold = cycle->guests[i].hold,
			.running_us = cycle->guests[i].running_us,
		};
	return before;
}

/* Whether pmcoord has resumed the guest, or has found that nothing of it has to be undone. */
static bool was_resumed(const struct before *before, const struct cycle_guest *guest)
{
	/* Guests that were destroyed, or that others have resumed, have no hold either. */
	if (guest->gone || guest->released || guest->hold != HOLD_NONE)
		return false;
	return before->hold != HOLD_NONE || before->running_us != guest->running_us;
}

static void add_stranded(const char *name, struct resume_result *result)
{
	size_t used = strlen(result->stranded);

	if (used + strlen(name) + 3 < sizeof(result->stranded))
		snprintf(result->stranded + used, sizeof(result->stranded) - used, "%s%s",
			 used ? ", " : "", name);
	result->n_stranded++;
}

static void note_stranded(const struct cycle *cycle, struct resume_result *result)
{
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (cycle->guests[i].stranded)
			add_stranded(cycle->guests[i].name, result);
}

/* Before the resume the cycle had `n` guests; others may have appeared. */
static void add_result(const struct cycle *cycle, const struct before *before, size_t n,
		       struct resume_result *result)
{
	for (size_t i = 0; i < cycle->n_guests; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];

		result->n_resumed += i < n && was_resumed(&before[i], guest);
		result->degraded |= guest->degraded;
	}
	note_stranded(cycle, result);
	result->degraded |= cycle->n_damaged > 0 || cycle->n_unwritten > 0;
}

/* ---- the cycles --------------------------------------------------------- */

static bool keeps_any(const struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_guests; i++)
		if (cycle_keeps(cycle, &cycle->guests[i]))
			return true;
	return false;
}

/* Whether the cycle's coordinator has done its work. */
static bool is_at_rest(const struct cycle *cycle)
{
	return cycle->ended || keeps_any(cycle);
}

/*
 * Whether guests may suspend late, no guest has a hold against its will, and xenstored knows all
 * that run. Then there is nothing to do but to resume guests that have suspended meanwhile.
 */
static bool is_only_late(const struct cycle *cycle)
{
	bool any = false;

	for (size_t i = 0; i < cycle->n_guests; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];
		bool may_suspend = cycle_guest_may_suspend(guest) && !guest->stranded;

		any |= may_suspend;
		if (guest->hold != HOLD_NONE && !may_suspend && !cycle_keeps(cycle, guest))
			return false;
		if (guest->needs_xenstore_resume)
			return false;
	}
	return any && is_at_rest(cycle);
}

/*
 * Resumes guests that have suspended late. Makes a new report only if there was one; so the
 * report stays as it is if a guest will no longer suspend.
 */
static int check_late_guests(struct coordinator *coordinator, struct resume_result *result,
			     struct error *error)
{
	const struct cycle *cycle = context_cycle(coordinator);
	_cleanup_(freep) struct before *before = note_guests(cycle);
	size_t n = cycle->n_guests;
	bool has_changed = false;

	if (!before)
		return error_set(error, -ENOMEM, "cannot resume guests: out of memory");
	resume_check_late(coordinator);
	add_result(cycle, before, n, result);
	for (size_t i = 0; i < n; i++)
		has_changed |= before[i].running_us != cycle->guests[i].running_us ||
			       cycle->guests[i].stranded;
	if (keeps_any(cycle))
		return 0;
	if (!has_changed)
		return cycle_is_over(cycle) ? journal_remove(coordinator->journal) : 0;
	report_free(result->report);
	result->report = NULL;
	return coordinator_finish(coordinator, false, &result->report, error);
}

/*
 * Resumes the selected guests, and ends the cycle unless it keeps guests suspended. Adds the
 * outcome to `result`.
 */
static int resume_selected(struct coordinator *coordinator, const bool *selected,
			   struct resume_result *result, struct error *error)
{
	const struct cycle *cycle = context_cycle(coordinator);
	_cleanup_(freep) struct before *before = note_guests(cycle);
	size_t n = cycle->n_guests;
	int r;

	if (!before)
		return error_set(error, -ENOMEM, "cannot resume guests: out of memory");
	coordinator_resume_guests(coordinator, selected);
	add_result(cycle, before, n, result);
	/* The cycle ends when the last guest that it keeps suspended was resumed. */
	if (keeps_any(cycle))
		return 0;
	coordinator_prearm(coordinator);
	report_free(result->report);
	result->report = NULL;
	r = coordinator_finish(coordinator, false, &result->report, error);
	result->degraded |= cycle->n_unwritten > 0;
	return r;
}

/* Records that the cycle is undone, if its coordinator has died. */
static void record_interruption(struct coordinator *coordinator)
{
	const struct cycle *cycle = context_cycle(coordinator);

	if (cycle_was_interrupted(cycle) && !cycle->aborted && cycle->slept_us == CYCLE_NEVER)
		coordinator_record(coordinator, RECORD_ABORT,
				   "the coordinator died before the end of the cycle");
}

/*
 * Returns which guests of a cycle have a hold against their will, or run without xenstored knowing
 * it. The caller frees the array. Returns NULL when out of memory.
 */
static bool *select_unkept(const struct cycle *cycle, bool *ret_any)
{
	bool *selected = calloc(cycle->n_guests + 1, sizeof(*selected));

	*ret_any = false;
	for (size_t i = 0; selected && i < cycle->n_guests; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];

		selected[i] = (guest->hold != HOLD_NONE && !cycle_keeps(cycle, guest)) ||
			      guest->needs_xenstore_resume;
		*ret_any |= selected[i];
	}
	return selected;
}

/* Completes or undoes the cycle, except for guests that are kept suspended. */
static int recover_cycle(struct coordinator *coordinator, void *data, struct error *error)
{
	const struct cycle *cycle = context_cycle(coordinator);
	struct resume_result *result = data;
	_cleanup_(freep) bool *selected = NULL;
	bool any;

	if (is_only_late(cycle))
		return check_late_guests(coordinator, result, error);
	if (!cycle->kept_suspended)
		await_end_of_sleep(coordinator);
	/*
	 * After the host's sleep the cycle ends as usual, without an abort. If the
	 * cycle has ended, only its report or the resume of a stranded guest is
	 * missing.
	 */
	record_interruption(coordinator);
	selected = select_unkept(cycle, &any);
	if (!selected)
		return error_set(error, -ENOMEM, "cannot resume guests: out of memory");
	if (!any && keeps_any(cycle))
		return 0;
	return resume_selected(coordinator, selected, result, error);
}

int coordinator_recover(struct coordinator *coordinator, struct resume_result *ret_result,
			struct error *error)
{
	int r;

	assert(coordinator->roots && !coordinator->journal && ret_result);
	*ret_result = (struct resume_result){ 0 };
	r = for_each_cycle(coordinator, false, recover_cycle, ret_result, error);
	sleeper_undo_changes(coordinator->roots);
	return r;
}

/* ---- late guests --------------------------------------------------------- */

/* Whether recovery has something to do for a guest that may suspend late. */
static bool is_due(struct coordinator *coordinator, const struct cycle *cycle,
		   const struct cycle_guest *guest, uint64_t *until_us)
{
	uint64_t end_us = cycle_late_since(cycle, guest) + CYCLE_LATE_LIMIT_US;
	struct domain_id id = cycle_guest_id(guest);
	struct domain_state state;

	if (end_us <= loop_now(coordinator->loop))
		return true;
	if (end_us < *until_us)
		*until_us = end_us;
	return coordinator->hypervisor->ops->get_state(coordinator->hypervisor, &id, &state) == 0 &&
	       state.state != GUEST_RUNNING && state.state != GUEST_PAUSED;
}

static bool any_is_due(struct coordinator *coordinator, const struct cycle *cycle,
		       uint64_t *until_us)
{
	bool any = false;

	for (size_t i = 0; i < cycle->n_guests && is_at_rest(cycle); i++)
		if (cycle_guest_may_suspend(&cycle->guests[i]) && !cycle->guests[i].stranded)
			any |= is_due(coordinator, cycle, &cycle->guests[i], until_us);
	return any;
}

struct late_search {
	struct coordinator *coordinator;
	uint64_t *until_us;
	bool any_is_due;
};

static int search_late(void *data, const struct cycle *cycle)
{
	struct late_search *search = data;

	search->any_is_due |= any_is_due(search->coordinator, cycle, search->until_us);
	return 0;
}

bool coordinator_late_is_due(struct coordinator *coordinator, uint64_t *ret_until_us)
{
	struct late_search search = { coordinator, ret_until_us, false };

	assert(ret_until_us);
	*ret_until_us = LOOP_FOREVER;
	journal_for_each_cycle(coordinator->roots->journals, search_late, &search);
	return search.any_is_due;
}

/* ---- resuming ----------------------------------------------------------- */

struct resume_params {
	char **names; /* names or domids of guests */
	size_t n_names; /* 0: all guests */
	bool force; /* only the named guests, not those that they need */
	/* The named guests and those that they need, in all cycles; see find_wanted. */
	struct domain_id *wanted;
	size_t n_wanted;
	bool has_grown; /* find_wanted has added a guest since it last looked at the first cycle */
	struct resume_result *result;
};

static bool is_named(const struct cycle_guest *guest, const char *name)
{
	uint64_t domid;

	return strcmp(guest->name, name) == 0 ||
	       (parse_u64(name, UINT16_MAX, &domid) == 0 && domid == guest->domid);
}

static bool is_wanted(const struct resume_params *params, const struct cycle_guest *guest)
{
	struct domain_id id = cycle_guest_id(guest);

	for (size_t i = 0; i < params->n_wanted; i++)
		if (domain_id_equal(&params->wanted[i], &id))
			return true;
	return false;
}

/* Returns 1 if the guest is added, 0 if it was wanted already, or -ENOMEM. */
static int add_wanted(struct resume_params *params, const struct cycle_guest *guest)
{
	if (is_wanted(params, guest))
		return 0;
	if (array_grow(&params->wanted, params->n_wanted, sizeof(*params->wanted)) < 0)
		return -ENOMEM;
	params->wanted[params->n_wanted++] = cycle_guest_id(guest);
	return 1;
}

/* Adds what a wanted guest needs. Returns as add_wanted. */
static int add_needed(struct resume_params *params, const struct cycle *cycle,
		      const struct cycle_guest *guest)
{
	int r = 0, any = 0;

	for (size_t i = 0; i < guest->n_needs && r >= 0; i++) {
		r = add_wanted(params, &cycle->guests[guest->needs[i]]);
		any |= r > 0;
	}
	return r < 0 ? r : any;
}

static bool is_named_by_any(const struct resume_params *params, const struct cycle_guest *guest)
{
	for (size_t i = 0; i < params->n_names; i++)
		if (is_named(guest, params->names[i]))
			return true;
	return false;
}

/* Adds the guests of a cycle that are named, or that wanted ones need. Returns as add_wanted. */
static int add_wanted_of_cycle(struct resume_params *params, const struct cycle *cycle)
{
	int r = 0, any = 0;

	for (size_t i = 0; i < cycle->n_guests && r >= 0; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];

		if (guest->lost)
			continue;
		if (guest->hold != HOLD_NONE && is_named_by_any(params, guest))
			r = add_wanted(params, guest);
		any |= r > 0;
		if (r >= 0 && !params->force && is_wanted(params, guest))
			r = add_needed(params, cycle, guest);
		any |= r > 0;
	}
	return r < 0 ? r : any;
}

static int find_wanted_of_cycle(void *data, const struct cycle *cycle)
{
	struct resume_params *params = data;
	int r = add_wanted_of_cycle(params, cycle);

	params->has_grown |= r > 0;
	return r < 0 ? r : 0;
}

/*
 * Finds the named guests that a cycle has suspended or paused, and, without --force, those that
 * they need directly or through others: another cycle may have suspended these. Returns 0 or
 * -ENOMEM. What cannot be read is left to for_each_cycle, which reports it.
 */
static int find_wanted(struct coordinator *coordinator, struct resume_params *params)
{
	int r;

	do {
		params->has_grown = false;
		r = journal_for_each_cycle(coordinator->roots->journals, find_wanted_of_cycle,
					   params);
	} while (r == 0 && params->has_grown);
	return r;
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
	for (size_t i = 0; i < cycle->n_guests; i++)
		selected[i] = params->n_names == 0 || (cycle->guests[i].hold != HOLD_NONE &&
						       is_wanted(params, &cycle->guests[i]));
	if (!params->force)
		select_needed(cycle, selected);
	return selected;
}

/* Records which guests are no longer kept suspended, in case this process dies. */
static void release_guests(struct coordinator *coordinator, const bool *selected)
{
	const struct cycle *cycle = context_cycle(coordinator);

	for (size_t i = 0; i < cycle->n_guests; i++)
		if (selected[i] && cycle_keeps(cycle, &cycle->guests[i]))
			journal_record(coordinator->journal, RECORD_RELEASE,
				       loop_now(coordinator->loop), i, "%s", "");
}

static void release_all(struct coordinator *coordinator)
{
	const struct cycle *cycle = context_cycle(coordinator);

	if (cycle->kept_suspended && !cycle->released)
		coordinator_record(coordinator, RECORD_RELEASE_ALL, "");
}

static int resume_cycle(struct coordinator *coordinator, void *data, struct error *error)
{
	struct resume_params *params = data;
	const struct cycle *cycle = context_cycle(coordinator);
	_cleanup_(freep) bool *selected = select_in_cycle(cycle, params);
	bool any = params->n_names == 0, any_held = false;

	if (!selected)
		return error_set(error, -ENOMEM, "cannot resume guests: out of memory");
	for (size_t i = 0; i < cycle->n_guests; i++) {
		any |= selected[i];
		any_held |= selected[i] && cycle->guests[i].hold != HOLD_NONE;
	}
	if (!any_held && is_only_late(cycle))
		return check_late_guests(coordinator, params->result, error);
	if (!any) {
		note_stranded(cycle, params->result);
		return 0;
	}
	if (params->n_names == 0)
		release_all(coordinator);
	else
		release_guests(coordinator, selected);
	record_interruption(coordinator);
	return resume_selected(coordinator, selected, params->result, error);
}

/*
 * Records that no guest of the cycle is kept suspended any more. Later cycles then may take
 * over its guests, and recovery resumes them if this process dies.
 */
static int release_cycle(struct coordinator *coordinator, void *data, struct error *error)
{
	(void)data;
	(void)error;
	release_all(coordinator);
	take_over_guests(coordinator, false);
	return 0;
}

/* As release_cycle, of the guests that are to be resumed. */
static int release_wanted(struct coordinator *coordinator, void *data, struct error *error)
{
	_cleanup_(freep) bool *selected = select_in_cycle(context_cycle(coordinator), data);

	if (!selected)
		return error_set(error, -ENOMEM, "cannot resume guests: out of memory");
	release_guests(coordinator, selected);
	take_over_guests(coordinator, false);
	return 0;
}

/* Whether the cycle has suspended or paused a guest of the name `data`. */
static int has_hold_on(void *data, const struct cycle *cycle)
{
	const char *name = data;

	for (size_t i = 0; i < cycle->n_guests; i++)
		if (!cycle->guests[i].lost && cycle->guests[i].hold != HOLD_NONE &&
		    is_named(&cycle->guests[i], name))
			return true;
	return false;
}

static bool is_held(struct coordinator *coordinator, char *name)
{
	return journal_for_each_cycle(coordinator->roots->journals, has_hold_on, name) > 0;
}

/*
 * Checks that each name is that of a guest. Asks xenstored, which may not answer, only for names
 * that no cycle has recorded. Returns 1 if cycles hold all of them, 0 if not, or a negative errno
 * with `error` set.
 */
static int check_names(struct coordinator *coordinator, const struct resume_params *params,
		       struct error *error)
{
	struct inventory inventory = { 0 };
	_cleanup_(freep) bool *selected = NULL;
	size_t n_held = 0;
	int r;

	while (n_held < params->n_names && is_held(coordinator, params->names[n_held]))
		n_held++;
	if (n_held == params->n_names)
		return 1;
	r = coordinator->hypervisor->ops->inventory(coordinator->hypervisor, &inventory, error);
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

static bool has_several_cycles(const struct coordinator *coordinator)
{
	_cleanup_(freep) uint64_t *numbers = NULL;

	return journal_list(coordinator->roots->journals, &numbers) > 1;
}

/* Even if a cycle cannot be released, its guests and those of the others are resumed. */
static int resume_cycles(struct coordinator *coordinator, struct resume_params *params,
			 struct error *error)
{
	take_cycle_fn release = params->n_names == 0 ? release_cycle : release_wanted;
	struct error later = { 0 };
	int r = 0, resumed;

	/* From the first to the last of several cycles: in the end the last one has all guests. */
	if ((params->n_names == 0 || !params->force) && has_several_cycles(coordinator))
		r = for_each_cycle(coordinator, true, release, params, error);
	resumed = for_each_cycle(coordinator, false, resume_cycle, params, r < 0 ? &later : error);
	return r < 0 ? r : resumed;
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
	bool all_held;
	int r = 0;

	assert((names || n_names == 0) && ret_result && !coordinator->journal);
	if (n_names > 0)
		r = check_names(coordinator, &params, error);
	all_held = r > 0;
	if (r >= 0)
		r = n_names > 0 ? find_wanted(coordinator, &params) : 0;
	if (r == 0)
		r = resume_cycles(coordinator, &params, error);
	free(params.wanted);
	if (r == 0 && force && n_names > 0 && !all_held && result.n_stranded == 0)
		r = resume_forced(coordinator, &params, error);
	if (r < 0) {
		report_free(result.report);
		return error_set(error, r, "cannot resume guests: %s", strerror(-r));
	}
	*ret_result = result;
	return 0;
}
