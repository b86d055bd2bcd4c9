/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/coordinator.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pmcoord/battery.h"
#include "pmcoord/boot-id.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/directory.h"
#include "pmcoord/executor.h"
#include "pmcoord/number.h"
#include "pmcoord/parse.h"
#include "pmcoord/report.h"
#include "pmcoord/restore.h"

/* Everything of one cycle, from its inventory to its journal. */
struct run {
	struct coordinator *coordinator;
	struct inventory inventory;
	struct graph *graph;
	struct plan plan;
	struct journal *journal;
	struct lid *lid; /* whose opening ends the cycle; NULL: nobody's */
	bool is_battery_low;
	int io_fd; /* /proc/self/io, for what we write to disks ourselves */
	uint64_t written_before;
};

/* ---- small facts -------------------------------------------------------- */

static uint64_t realtime_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * Bytes that this process has caused to be written to storage so far; writes
 * to /run (tmpfs) do not count there. UINT64_MAX if unknown.
 */
static uint64_t written_bytes(int io_fd)
{
	static const char key[] = "\nwrite_bytes: ";
	char text[512];
	ssize_t n = io_fd < 0 ? -1 : pread(io_fd, text, sizeof(text) - 1, 0);
	const char *found;

	if (n <= 0)
		return UINT64_MAX;
	text[n] = '\0';
	found = strstr(text, key);
	return found ? strtoull(found + strlen(key), NULL, 10) : UINT64_MAX;
}

/* ---- selecting guests --------------------------------------------------- */

static const struct guest *find_guest(const struct inventory *inventory,
				      const char *name)
{
	const struct guest *guest = inventory_find_name(inventory, name);
	uint64_t domid;

	if (!guest && parse_u64(name, UINT16_MAX, &domid) == 0)
		guest = inventory_find_domid(inventory, (uint32_t)domid);
	return guest;
}

/* One bool per guest; the caller's. All names are checked before any is used.
 */
static int select_guests(const struct inventory *inventory, char **names,
			 size_t n_names, bool **ret_selected,
			 struct error *error)
{
	_cleanup_(freep) bool *selected =
		calloc(inventory->n_guests + 1, sizeof(*selected));

	if (!selected)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n_names; i++) {
		const struct guest *guest = find_guest(inventory, names[i]);

		if (!guest)
			return error_set(error, -ENOENT,
					 "there is no guest '%s': 'pmcoord "
					 "list' shows those there are",
					 names[i]);
		selected[guest - inventory->guests] = true;
	}
	*ret_selected = TAKE_PTR(selected);
	return 0;
}

/* ---- planning ----------------------------------------------------------- */

static int make_plan(struct run *run, const struct cycle_wish *wish,
		     struct error *error)
{
	_cleanup_(freep) bool *selected = NULL;
	int r = run->coordinator->hypervisor->ops->inventory(
		run->coordinator->hypervisor, &run->inventory, error);

	if (r < 0)
		return r;
	r = graph_build(&run->inventory, run->coordinator->config, &run->graph);
	if (r < 0)
		return error_set(error, r, "cannot order the guests: %s",
				 strerror(-r));
	if (wish && wish->n_names > 0) {
		r = select_guests(&run->inventory, wish->names, wish->n_names,
				  &selected, error);
		if (r < 0)
			return r;
		if (!wish->force)
			r = plan_select_dependents(run->graph, selected);
	}
	if (r == 0)
		r = plan_make(&run->inventory, run->graph,
			      run->coordinator->config, selected, &run->plan);
	return r < 0 ? error_set(error, r, "cannot make a plan: %s",
				 strerror(-r))
		     : 0;
}

static void run_done(struct run *run)
{
	plan_done(&run->plan);
	graph_free(run->graph);
	inventory_done(&run->inventory);
	journal_close(run->journal);
	closep(&run->io_fd);
}

int coordinator_plan(struct coordinator *coordinator,
		     const struct cycle_wish *wish,
		     struct inventory *ret_inventory, struct graph **ret_graph,
		     struct plan *ret_plan, struct error *error)
{
	struct run run = { .coordinator = coordinator, .io_fd = -EBADF };
	int r = make_plan(&run, wish, error);

	if (r < 0) {
		run_done(&run);
		return r;
	}
	*ret_inventory = run.inventory;
	*ret_graph = run.graph;
	*ret_plan = run.plan;
	/* The plan borrowed from `run`; now from what the caller holds. */
	ret_plan->inventory = ret_inventory;
	return 0;
}

static bool plan_acts(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].mechanism != MECHANISM_NONE)
			return true;
	return false;
}

/* ---- the end of a cycle ------------------------------------------------- */

static int record(struct coordinator *coordinator, struct journal *journal,
		  enum record_type type, const char *text)
{
	return journal_record(journal, type, loop_now(coordinator->loop), 0,
			      "%s", text);
}

/* Tells each agent ahead of time which request comes next. */
static void arm_next(struct coordinator *coordinator, const struct cycle *cycle)
{
	const struct hypervisor_ops *ops = coordinator->hypervisor->ops;

	for (size_t i = 0; i < cycle->n_guests; i++) {
		const struct cycle_guest *guest = &cycle->guests[i];
		struct domain_id id = { .domid = guest->domid };
		struct agent_terms terms = agent_terms_of(
			coordinator->config,
			config_for_guest(coordinator->config, guest->name)
				.timeout_us);

		memcpy(id.uuid, guest->uuid, sizeof(id.uuid));
		/* Only who is done with this cycle may be told of the next. */
		if (guest->mechanism == MECHANISM_AGENT && !guest->gone &&
		    guest->ready_us != CYCLE_NEVER)
			ops->arm(coordinator->hypervisor, &id,
				 cycle->number + 1, &terms);
	}
}

/*
 * Ends the cycle: report on disk, journal gone unless someone is stranded. A
 * measurement leaves a report only where it went wrong.
 */
static int finish_cycle(struct coordinator *coordinator,
			struct journal *journal, bool is_measurement,
			struct json_object **ret_report, struct error *error)
{
	struct json_object *report;
	int r = record(coordinator, journal, RECORD_END, "");

	if (r < 0)
		return error_set(error, r, "cannot write the journal: %s",
				 strerror(-r));
	r = report_make(journal_cycle(journal), &report);
	if (r < 0)
		return error_set(error, r, "cannot make the report: %s",
				 strerror(-r));
	if (!is_measurement || report_result(report) != RESULT_OK)
		r = report_save(coordinator->roots->reports, report,
				coordinator->config->keep_reports, error);
	if (r < 0) {
		json_object_put(report);
		return r;
	}
	/* While a guest is not back it says so, and whoever is next tries. */
	if (cycle_count_held(journal_cycle(journal)) == 0)
		r = journal_remove(journal);
	if (r < 0) {
		json_object_put(report);
		return error_set(error, r, "cannot remove the journal: %s",
				 strerror(-r));
	}
	*ret_report = report;
	return 0;
}

/* Resumes the selected guests and waits for their devices. */
static int bring_back(struct coordinator *coordinator, struct journal *journal,
		      const bool *selected)
{
	int r, later;

	r = record(coordinator, journal, RECORD_PHASE, "resume");
	later = restore_guests(journal, coordinator->config,
			       coordinator->hypervisor, coordinator->loop,
			       selected);
	r = r < 0 ? r : later;
	later = record(coordinator, journal, RECORD_PHASE, "ready");
	r = r < 0 ? r : later;
	later = restore_wait_ready(journal, coordinator->config,
				   coordinator->hypervisor, coordinator->loop);
	return r < 0 ? r : later;
}

/* ---- cycles of others --------------------------------------------------- */

static void observe(struct coordinator *coordinator, struct journal *journal)
{
	if (coordinator->observer)
		journal_observe(journal, coordinator->observer,
				coordinator->observer_data);
}

/*
 * The cycles on /run that belong to this boot, each handed to `take`; journals
 * of an earlier boot hold nobody and are removed. A journal that cannot be
 * read does not stop the others; its error is returned in the end.
 */
typedef int (*take_cycle_fn)(struct coordinator *coordinator,
			     struct journal *journal, void *data,
			     struct error *error);

/* A journal that says nothing: whom it held is for the owner to find out. */
static int give_up_on(struct coordinator *coordinator, uint64_t number,
		      struct error *error)
{
	journal_set_aside(coordinator->roots->journals, number);
	return error_replace(error, -ENOTRECOVERABLE,
			     "the journal %s/%" PRIu64
			     " cannot be read and was set aside: 'xl list' "
			     "shows (as s or p) whom it may have held",
			     coordinator->roots->journals, number);
}

static int for_each_cycle(struct coordinator *coordinator, take_cycle_fn take,
			  void *data, struct error *error)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	char boot_id[BOOT_ID_SIZE];
	int n = journal_list(coordinator->roots->journals, &numbers);
	int r = 0, each = boot_id_read(boot_id);

	if (n < 0 || each < 0)
		return error_set(error, n < 0 ? n : each,
				 "cannot read the journals in %s: %s",
				 coordinator->roots->journals,
				 strerror(n < 0 ? -n : -each));
	/* The last to go down is the first to come back. */
	while (n-- > 0) {
		_cleanup_(journal_closep) struct journal *journal = NULL;

		each = journal_open(coordinator->roots->journals, numbers[n],
				    &journal, error);
		if (each == -EBADMSG)
			each = give_up_on(coordinator, numbers[n], error);
		if (each == 0 &&
		    strcmp(journal_cycle(journal)->boot_id, boot_id) != 0) {
			each = journal_remove(journal);
		} else if (each == 0) {
			observe(coordinator, journal);
			each = take(coordinator, journal, data, error);
		}
		r = r < 0 ? r : each;
	}
	return r;
}

/*
 * Its coordinator died when the host was free to sleep. Guests must not run
 * while it does: waits for the wake, or until there is no sleep under way.
 */
static int await_sleep(struct coordinator *coordinator, struct journal *journal)
{
	struct sleep_manager *manager = coordinator->sleep_manager;
	const struct cycle *cycle = journal_cycle(journal);
	uint64_t before_us = (uint64_t)cycle->slept_before_us, slept_us;
	char text[24];

	if (!manager || cycle->slept_before_us == CYCLE_NEVER ||
	    cycle->slept_us != CYCLE_NEVER || cycle->aborted)
		return 0;
	/* If that cannot be waited for, at least nobody is stranded. */
	manager->ops->await_end(manager, coordinator->loop, before_us);
	slept_us = manager->ops->slept_us(manager);
	if (slept_us < before_us + SLEEP_MIN_US)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, slept_us - before_us);
	return record(coordinator, journal, RECORD_SLEPT, text);
}

/* A cycle that is not held and whose coordinator is gone: undo it. */
static int undo_if_abandoned(struct coordinator *coordinator,
			     struct journal *journal, void *data,
			     struct error *error)
{
	struct json_object *report = NULL;
	const struct cycle *cycle = journal_cycle(journal);
	int r;

	(void)data;
	if (cycle->held)
		return 0;
	r = await_sleep(coordinator, journal);
	/*
	 * One that has slept is finished, not undone; and one that has ended
	 * was only short of its report.
	 */
	if (r == 0 && !cycle->ended && cycle->slept_us == CYCLE_NEVER)
		r = record(coordinator, journal, RECORD_ABORT,
			   "its coordinator died before the end");
	if (r == 0)
		r = bring_back(coordinator, journal, NULL);
	if (r == 0)
		r = finish_cycle(coordinator, journal, false, &report, error);
	json_object_put(report);
	return r;
}

int coordinator_recover(struct coordinator *coordinator, struct error *error)
{
	return for_each_cycle(coordinator, undo_if_abandoned, NULL, error);
}

/* ---- suspending --------------------------------------------------------- */

/* Why the cycle is to be undone, if somebody wants that; else NULL. */
static const char *reason_to_undo(struct run *run)
{
	int signal = loop_take_signal(run->coordinator->loop);

	if (signal)
		return signal == SIGINT ? "interrupted by the user"
					: "told to stop (SIGTERM)";
	return lid_was_opened(run->lid) ? LID_WAS_OPENED : NULL;
}

static int abort_if_told_to(struct run *run, struct executor *executor)
{
	const char *reason = reason_to_undo(run);

	return reason ? executor_abort(executor, reason) : 0;
}

/* Runs the executor until everyone is down or the cycle is given up. */
static int execute(struct run *run, struct executor *executor)
{
	struct coordinator *coordinator = run->coordinator;
	struct hypervisor *hypervisor = coordinator->hypervisor;
	struct loop *loop = coordinator->loop;
	int r = abort_if_told_to(run, executor);

	if (r == 0 && !executor_is_over(executor))
		r = executor_start(executor);
	while (r == 0 && !executor_is_over(executor)) {
		uint32_t domid;

		r = loop->ops->wait(loop, executor_deadline(executor));
		if (r < 0)
			return r;
		while (r == 0 && (r = hypervisor->ops->next_event(hypervisor,
								  &domid)) > 0)
			r = executor_handle_event(executor, domid);
		if (r == 0)
			r = executor_handle_time(executor);
		if (r == 0)
			r = abort_if_told_to(run, executor);
	}
	return r;
}

/* The last moment to be told to stop: what comes now is undone as well. */
static int heed_last_word(struct run *run)
{
	struct coordinator *coordinator = run->coordinator;
	struct loop *loop = coordinator->loop;
	const char *reason;
	int r;

	if (journal_cycle(run->journal)->aborted)
		return 0;
	r = loop->ops->wait(loop, loop_now(loop));
	reason = r < 0 ? NULL : reason_to_undo(run);
	return reason ? record(coordinator, run->journal, RECORD_ABORT, reason)
		      : r;
}

/* From the first request until everyone is down. */
static int suspend_guests(struct run *run, struct error *error)
{
	struct coordinator *coordinator = run->coordinator;
	_cleanup_(executor_freep) struct executor *executor = NULL;
	int r = executor_new(&run->plan, coordinator->config,
			     coordinator->hypervisor, coordinator->loop,
			     run->journal, &executor);

	if (r == 0)
		r = record(coordinator, run->journal, RECORD_PHASE, "prepare");
	if (r == 0)
		r = executor_prepare(executor);
	if (r == 0)
		r = record(coordinator, run->journal, RECORD_PHASE, "suspend");
	if (r == 0) {
		run->written_before = written_bytes(run->io_fd);
		r = execute(run, executor);
	}
	if (r == 0)
		r = heed_last_word(run);
	if (r < 0)
		error_set(error, r, "cannot go on suspending guests: %s",
			  strerror(-r));
	return r;
}

/* From here on a successor has to ask whether the host is about to sleep. */
static int record_may_sleep(struct run *run)
{
	struct sleep_manager *manager = run->coordinator->sleep_manager;
	char text[24];

	if (!manager)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64,
		 manager->ops->slept_us(manager));
	return record(run->coordinator, run->journal, RECORD_MAY_SLEEP, text);
}

/*
 * Sleeps, and records whether the host did. What went wrong there is part of
 * the cycle's report and no error of this call.
 */
static int sleep_host(struct run *run, struct sleeper *sleeper)
{
	struct coordinator *coordinator = run->coordinator;
	struct error error = { 0 };
	uint64_t slept_us = 0;
	char text[24];
	int r = record(coordinator, run->journal, RECORD_PHASE, "sleep");

	if (r == 0)
		r = record_may_sleep(run);
	if (r < 0)
		return r;
	if (sleeper->ops->enter(sleeper, coordinator->loop, &slept_us, &error) <
	    0)
		return record(coordinator, run->journal, RECORD_AWAKE,
			      error_text(&error));
	snprintf(text, sizeof(text), "%" PRIu64, slept_us);
	return record(coordinator, run->journal, RECORD_SLEPT, text);
}

static void record_written(struct run *run)
{
	uint64_t now = written_bytes(run->io_fd);
	char text[24];

	if (now == UINT64_MAX || run->written_before == UINT64_MAX)
		return;
	snprintf(text, sizeof(text), "%" PRIu64, now - run->written_before);
	/* Tells of the cycle only; the cycle is over whatever becomes of it. */
	record(run->coordinator, run->journal, RECORD_WRITTEN, text);
}

/* Everyone down, and the host asleep: while this goes on, the lid counts. */
static int go_down(struct run *run, const struct cycle_wish *wish,
		   struct error *error)
{
	struct loop *loop = run->coordinator->loop;
	const struct cycle *cycle = journal_cycle(run->journal);
	int r;

	/* Where this fails the lid is looked at with the next event. */
	if (run->lid)
		loop_watch_fd(loop, lid_fd(run->lid));
	r = suspend_guests(run, error);
	if (r == 0 && !cycle->aborted && (wish->sleeper || wish->comes_back))
		restore_prepare(cycle, run->coordinator->hypervisor);
	if (r == 0 && !cycle->aborted && wish->sleeper)
		r = sleep_host(run, wish->sleeper);
	loop_watch_fd(loop, -EBADF);
	return r;
}

/* Everything between the journal's first record and its last. */
static int run_journalled(struct run *run, const struct cycle_wish *wish,
			  struct json_object **ret_report, struct error *error)
{
	struct coordinator *coordinator = run->coordinator;
	const struct cycle *cycle = journal_cycle(run->journal);
	int r = go_down(run, wish, error);

	if (r == 0 && !cycle->aborted && !wish->sleeper && !wish->comes_back) {
		r = record(coordinator, run->journal, RECORD_HELD, "");
		if (r == 0)
			r = report_make(cycle, ret_report);
		return r;
	}
	if (r < 0)
		/* If even this cannot be recorded, undoing still goes on. */
		record(coordinator, run->journal, RECORD_ABORT,
		       error_text(error));
	r = bring_back(coordinator, run->journal, NULL);
	record_written(run);
	if (r < 0)
		return error_set(error, r, "cannot write the journal: %s",
				 strerror(-r));
	arm_next(coordinator, cycle);
	return finish_cycle(coordinator, run->journal, wish->is_measurement,
			    ret_report, error);
}

static int begin_journal(struct run *run, const struct cycle_wish *wish,
			 uint64_t start_us, struct error *error)
{
	struct coordinator *coordinator = run->coordinator;
	uint64_t number = number_next(coordinator->roots, &run->inventory);
	char boot_id[BOOT_ID_SIZE];
	int r = boot_id_read(boot_id);

	if (r == 0)
		r = directory_make(coordinator->roots->run);
	if (r == 0)
		r = number_store(coordinator->roots, number);
	if (r < 0)
		return error_set(error, r, "cannot begin a cycle in %s: %s",
				 coordinator->roots->run, strerror(-r));
	r = journal_create(
		coordinator->roots->journals, &run->plan, number, boot_id,
		start_us,
		realtime_us() - (loop_now(coordinator->loop) - start_us),
		wish->trigger, wish->sleeper != NULL, &run->journal, error);
	if (r < 0)
		return r;
	observe(coordinator, run->journal);
	r = journal_record(run->journal, RECORD_PHASE, start_us, 0, "%s",
			   "inventory");
	if (r == 0 && run->is_battery_low)
		r = record(coordinator, run->journal, RECORD_NOTE,
			   "low battery: not vetoed");
	return r;
}

static int suspend_planned(struct run *run, const struct cycle_wish *wish,
			   uint64_t start_us, struct json_object **ret_report,
			   struct error *error)
{
	int r = make_plan(run, wish, error);

	if (r < 0)
		return r;
	if (!plan_acts(&run->plan) && !wish->sleeper) {
		*ret_report = NULL;
		return 0;
	}
	if (wish->sleeper) {
		wish->sleeper->lid = run->lid;
		r = wish->sleeper->ops->prepare(wish->sleeper, error);
		if (r < 0)
			return r;
	}
	run->io_fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
	r = begin_journal(run, wish, start_us, error);
	if (r == 0)
		r = run_journalled(run, wish, ret_report, error);
	if (wish->sleeper)
		wish->sleeper->ops->finish(wish->sleeper);
	return r;
}

int coordinator_suspend(struct coordinator *coordinator,
			const struct cycle_wish *wish,
			struct json_object **ret_report, struct error *error)
{
	struct config unvetoed = config_without_vetoes(coordinator->config);
	struct coordinator adapted = *coordinator;
	struct run run = { .coordinator = &adapted, .io_fd = -EBADF };
	uint64_t start_us;
	int r = coordinator_recover(coordinator, error);

	if (r < 0)
		return r;
	run.is_battery_low =
		wish->sleeper && battery_is_low(coordinator->roots->sys);
	if (run.is_battery_low)
		adapted.config = &unvetoed;
	if (wish->sleeper && adapted.config->abort_on_lid_open)
		run.lid = coordinator->lid;
	start_us = loop_now(coordinator->loop);
	r = suspend_planned(&run, wish, start_us, ret_report, error);
	run_done(&run);
	return r;
}

/* ---- resuming ----------------------------------------------------------- */

struct resume_wish {
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
	       (parse_u64(name, UINT16_MAX, &domid) == 0 &&
		domid == guest->domid);
}

/* Adds what the selected ones need, so that the law of order holds. */
static void select_needed(const struct cycle *cycle, bool *selected)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < cycle->n_guests; i++) {
			const struct cycle_guest *guest = &cycle->guests[i];

			for (size_t j = 0; selected[i] && j < guest->n_needs;
			     j++) {
				changed |= !selected[guest->needs[j]];
				selected[guest->needs[j]] = true;
			}
		}
	}
}

static bool *select_in_cycle(const struct cycle *cycle,
			     const struct resume_wish *wish)
{
	bool *selected = calloc(cycle->n_guests + 1, sizeof(*selected));

	if (!selected)
		return NULL;
	for (size_t i = 0; i < cycle->n_guests; i++) {
		selected[i] = wish->n_names == 0;
		for (size_t j = 0; j < wish->n_names; j++) {
			if (!is_named(&cycle->guests[i], wish->names[j]) ||
			    cycle->guests[i].hold == HOLD_NONE)
				continue;
			selected[i] = true;
			wish->found[j] = true;
		}
	}
	if (!wish->force)
		select_needed(cycle, selected);
	return selected;
}

static void note_result(const struct cycle *cycle, size_t held_before,
			struct resume_result *result)
{
	const char *stranded = cycle_stranded(cycle);

	result->n_resumed += held_before - cycle_count_held(cycle);
	if (stranded)
		snprintf(result->stranded, sizeof(result->stranded), "%s",
			 stranded);
	for (size_t i = 0; i < cycle->n_guests; i++)
		result->degraded |= cycle->guests[i].degraded;
}

static int resume_cycle(struct coordinator *coordinator,
			struct journal *journal, void *data,
			struct error *error)
{
	struct resume_wish *wish = data;
	const struct cycle *cycle = journal_cycle(journal);
	size_t held_before = cycle_count_held(cycle);
	_cleanup_(freep) bool *selected = select_in_cycle(cycle, wish);
	bool any = wish->n_names == 0;
	int r = 0;

	if (!selected)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < cycle->n_guests; i++)
		any |= selected[i];
	if (!any)
		return 0;
	if (!cycle->held && !cycle->ended)
		r = record(coordinator, journal, RECORD_ABORT,
			   "its coordinator died before the end");
	if (r == 0)
		r = bring_back(coordinator, journal, selected);
	note_result(cycle, held_before, wish->result);
	if (r < 0)
		return error_set(error, r, "cannot write the journal: %s",
				 strerror(-r));
	/* What is still held keeps its journal. */
	if (cycle_count_held(cycle) > 0)
		return 0;
	arm_next(coordinator, cycle);
	json_object_put(wish->result->report);
	wish->result->report = NULL;
	return finish_cycle(coordinator, journal, false, &wish->result->report,
			    error);
}

/* A name that no cycle holds must at least be a guest's. */
static int check_names(struct coordinator *coordinator,
		       const struct resume_wish *wish, struct error *error)
{
	struct inventory inventory = { 0 };
	_cleanup_(freep) bool *selected = NULL;
	int r = coordinator->hypervisor->ops->inventory(coordinator->hypervisor,
							&inventory, error);

	if (r == 0)
		r = select_guests(&inventory, wish->names, wish->n_names,
				  &selected, error);
	inventory_done(&inventory);
	return r;
}

int coordinator_resume(struct coordinator *coordinator, char **names,
		       size_t n_names, bool force,
		       struct resume_result *ret_result, struct error *error)
{
	struct resume_result result = { 0 };
	_cleanup_(freep) bool *found = calloc(n_names + 1, sizeof(*found));
	struct resume_wish wish = {
		.names = names,
		.n_names = n_names,
		.force = force,
		.found = found,
		.result = &result,
	};
	int r = found ? 0 : -ENOMEM;

	if (r == 0 && n_names > 0)
		r = check_names(coordinator, &wish, error);
	if (r == 0)
		r = for_each_cycle(coordinator, resume_cycle, &wish, error);
	if (r < 0) {
		json_object_put(result.report);
		return error_set(error, r, "cannot resume: %s", strerror(-r));
	}
	*ret_result = result;
	return 0;
}
