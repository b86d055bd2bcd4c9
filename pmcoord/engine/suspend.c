/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/suspend.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "base/directory.h"
#include "base/string-list.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/selection.h"
#include "model/sleep-manager.h"
#include "host/battery.h"
#include "host/boot-id.h"
#include "host/lid.h"
#include "host/wakeup.h"
#include "record/answers.h"
#include "record/cycle-id.h"
#include "record/journal.h"
#include "record/report.h"
#include "engine/census.h"
#include "engine/context.h"
#include "engine/coordinator.h"
#include "engine/executor.h"
#include "engine/recover.h"
#include "engine/resume.h"
#include "engine/take-over.h"

/* State of one cycle while coordinator_suspend runs it. */
struct run {
	/* Copy of the caller's context, with this cycle's journal and configuration. */
	struct coordinator *coordinator;
	struct plan plan;
	struct census_scope scope; /* of guests that appear during the cycle */
	struct lid *lid; /* opening it aborts the cycle; NULL: not watched */
	/* True only with a sleeper. The cycle then uses config_without_vetoes. */
	bool is_battery_low;
	/* Guests of earlier cycles that could not be resumed, and that this cycle takes over. */
	char stranded[256];
	bool has_stranded;
	/* Names the unreadable journal of an earlier cycle; "": there is none. */
	struct error unreadable;
	struct wakeup *wakeup; /* NULL: the kernel counts no wake-up events */
	int battery_before; /* percent before the sleep; negative: unknown */
	int io_fd; /* /proc/self/io; negative: it could not be opened */
	uint64_t written_before; /* written_bytes() when the suspend phase began */
};

/* ---- time and bytes written --------------------------------------------- */

static uint64_t realtime_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * Returns how many bytes this process has written to storage so far, see
 * proc(5), or UINT64_MAX if unknown. Writes to /run (tmpfs) are not counted.
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

/* ---- planning ----------------------------------------------------------- */

/*
 * Xen counts pauses: a guest that is being built, and that an earlier cycle keeps paused, looks as
 * one that only its builder has paused, and must not get a second pause of ours.
 */
static void skip_paused_unbuilt(const struct coordinator *coordinator, struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct step *step = &plan->steps[i];
		const struct guest *guest = &plan->inventory.guests[step->guest];
		struct domain_id id = domain_id_of(guest);

		if (!guest->being_built || step->mechanism != MECHANISM_PAUSE ||
		    !take_over_finds_pause(coordinator, &id))
			continue;
		step->mechanism = MECHANISM_NONE;
		step->reason = "already paused";
		step->is_stopped = true;
	}
}

int coordinator_plan(struct coordinator *coordinator, const struct cycle_params *params,
		     struct plan *ret_plan, struct error *error)
{
	struct hypervisor *hypervisor = coordinator->hypervisor;
	struct inventory inventory = { 0 };
	_cleanup_(freep) bool *selected = NULL;
	int r;

	assert(hypervisor && coordinator->config && ret_plan);
	r = hypervisor->ops->inventory(hypervisor, &inventory, error);
	if (r == 0 && params && params->n_names > 0)
		r = selection_make(&inventory, params->names, params->n_names, &selected, error);
	if (r < 0) {
		inventory_done(&inventory);
		return r;
	}
	r = plan_make(&inventory, coordinator->config, selected, params && !params->force,
		      ret_plan);
	if (r < 0)
		return error_set(error, r, "cannot make a plan: %s", strerror(-r));
	skip_paused_unbuilt(coordinator, ret_plan);
	return 0;
}

static void run_done(struct run *run)
{
	plan_done(&run->plan);
	journal_close(run->coordinator->journal);
	wakeup_free(run->wakeup);
	closep(&run->io_fd);
}

static bool plan_acts(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].mechanism != MECHANISM_NONE)
			return true;
	return false;
}

/*
 * Records the guests that had ended, or were about to end, when the cycle began: their end is
 * no fault.
 */
static void record_leaving(struct run *run, uint64_t now_us)
{
	const struct plan *plan = &run->plan;

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct guest *guest = &plan->inventory.guests[plan->steps[i].guest];

		if (guest->shutdown_node[0] || guest->state == GUEST_SHUT_DOWN ||
		    guest->state == GUEST_DYING)
			journal_record(run->coordinator->journal, RECORD_LEAVING, now_us, i, "%s",
				       "");
	}
}

/* ---- suspending --------------------------------------------------------- */

/*
 * Returns why the cycle is to be aborted: a signal, which this function clears,
 * or the opened lid. Returns NULL if the cycle is not to be aborted.
 */
static const char *reason_to_abort(struct run *run)
{
	int signal = loop_take_signal(run->coordinator->loop);

	if (signal == SIGINT)
		return "interrupted by the user";
	if (signal == SIGHUP)
		return "the terminal of the command was closed (SIGHUP)";
	if (signal)
		return "stopped by SIGTERM";
	return lid_was_opened(run->lid) ? LID_WAS_OPENED : NULL;
}

static int abort_if_requested(struct run *run, struct executor *executor)
{
	const char *reason = reason_to_abort(run);

	return reason ? executor_abort(executor, reason) : 0;
}

/*
 * Adds guests that have appeared to the plan, the journal and the executor. Returns 1 if there
 * was one, 0, or a negative errno.
 */
static int add_newcomers(struct run *run, struct executor *executor, const struct census *census)
{
	size_t n_old = run->plan.n_steps;
	int r = census_add_newcomers(census, run->coordinator, &run->scope, &run->plan);
	int extended = run->plan.n_steps > n_old ? executor_extend(executor, n_old) : 0;

	return r < 0 ? r : extended < 0 ? extended : r;
}

/* Lists the domains, because one may have appeared. If this fails, the last look remains. */
static int look_for_newcomers(struct run *run, struct executor *executor)
{
	struct census census;
	int r = 0;

	if (census_take(run->coordinator, &census) == 0)
		r = add_newcomers(run, executor, &census);
	census_done(&census);
	return r < 0 ? r : 0;
}

/* The most events that handle_events keeps apart. */
#define EVENTS_MAX 64

/*
 * Takes the pending events before it handles the first of them: a guest that has appeared must
 * be known before a guest that it needs is requested.
 */
static int handle_events(struct run *run, struct executor *executor)
{
	struct hypervisor *hypervisor = run->coordinator->hypervisor;
	uint32_t domids[EVENTS_MAX], domid;
	bool all = false, is_unknown = false;
	size_t n = 0;
	int r;

	while ((r = hypervisor->ops->next_event(hypervisor, &domid)) > 0) {
		is_unknown |=
			domid == HYPERVISOR_ALL_DOMAINS || !executor_has_guest(executor, domid);
		all |= domid == HYPERVISOR_ALL_DOMAINS || n == EVENTS_MAX;
		if (!all)
			domids[n++] = domid;
	}
	if (r == 0 && is_unknown)
		r = look_for_newcomers(run, executor);
	for (size_t i = 0; i < n && r == 0; i++)
		r = executor_handle_event(executor, domids[i]);
	return r == 0 && all ? executor_handle_event(executor, HYPERVISOR_ALL_DOMAINS) : r;
}

/*
 * Runs the executor, which was started, until it is finished. Returns 0, even if
 * the cycle was aborted, or a negative errno.
 */
static int execute(struct run *run, struct executor *executor)
{
	struct loop *loop = run->coordinator->loop;
	int r = 0;

	while (r == 0 && !executor_is_finished(executor)) {
		r = loop->ops->wait(loop, executor_deadline(executor));
		if (r < 0)
			return r;
		r = handle_events(run, executor);
		if (r == 0)
			r = executor_handle_time(executor);
		if (r == 0)
			r = abort_if_requested(run, executor);
	}
	return r;
}

/*
 * Looks at the domains a last time before the host sleeps, or the command ends. Returns 1 if a
 * guest has appeared and was added, which needs `takes_newcomers`; 0, or a negative errno.
 */
static int look_again(struct run *run, struct executor *executor, bool takes_newcomers, bool sleeps)
{
	struct coordinator *coordinator = run->coordinator;
	struct census census;
	char text[128];
	int r = census_take(coordinator, &census);

	if (r < 0) {
		snprintf(text, sizeof(text), "the domains could not be listed before the end: %s",
			 strerror(-r));
		return coordinator_record(coordinator, RECORD_NOTE, text);
	}
	if (takes_newcomers)
		r = add_newcomers(run, executor, &census);
	if (r == 0)
		r = census_record_ends(&census, coordinator);
	if (r == 0 && sleeps)
		r = census_record_running(&census, coordinator);
	census_done(&census);
	return r;
}

/*
 * How often guests that appear after the deadline are paused and looked for again: a host on
 * which guests appear without end sleeps all the same.
 */
#define LATE_LOOKS_MAX 3

/* Suspends the guests of the plan, and those that appear meanwhile. Returns as execute does. */
static int execute_all(struct run *run, struct executor *executor, bool sleeps)
{
	const struct cycle *cycle = context_cycle(run->coordinator);
	unsigned int n_late = 0;
	int r = abort_if_requested(run, executor);

	if (r == 0 && !cycle->aborted)
		r = executor_start(executor);
	do {
		if (r >= 0)
			r = execute(run, executor);
		if (r < 0 || cycle->aborted)
			return r;
		n_late += executor_is_past_deadline(executor);
		r = look_again(run, executor, n_late <= LATE_LOOKS_MAX, sleeps);
	} while (r > 0);
	return r;
}

/*
 * Polls the loop a last time before the sleep (the deadline is now). Aborts the
 * cycle if a signal has arrived or the lid was opened. Returns 0 or a negative
 * errno.
 */
static int abort_before_sleep(struct run *run)
{
	struct coordinator *coordinator = run->coordinator;
	struct loop *loop = coordinator->loop;
	const char *reason;
	int r;

	if (context_cycle(run->coordinator)->aborted)
		return 0;
	r = loop->ops->wait(loop, loop_now(loop));
	reason = r < 0 ? NULL : reason_to_abort(run);
	return reason ? coordinator_record(coordinator, RECORD_ABORT, reason) : r;
}

static int suspend_guests(struct run *run, bool sleeps, struct error *error)
{
	struct coordinator *coordinator = run->coordinator;
	_cleanup_(executor_freep) struct executor *executor = NULL;
	int r = executor_new(&run->plan, coordinator, &executor);

	if (r == 0)
		r = coordinator_record(coordinator, RECORD_PHASE, "prepare");
	if (r == 0)
		r = executor_prepare(executor);
	if (r == 0)
		r = coordinator_record(coordinator, RECORD_PHASE, "suspend");
	if (r == 0) {
		run->written_before = written_bytes(run->io_fd);
		r = execute_all(run, executor, sleeps);
	}
	if (r == 0)
		r = abort_before_sleep(run);
	if (r < 0)
		error_set(error, r, "cannot suspend the guests: %s", strerror(-r));
	return r;
}

/*
 * Records that the host may sleep from now on. If this process dies after this
 * record, recovery waits for the end of systemd's sleep job before it resumes
 * guests.
 */
static int record_may_sleep(struct run *run)
{
	struct sleep_manager *manager = run->coordinator->sleep_manager;
	char text[24];

	if (!manager)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, manager->ops->slept_us(manager));
	return coordinator_record(run->coordinator, RECORD_MAY_SLEEP, text);
}

/* Records in which state the host has slept. Another one than S3 is no success. */
static void record_state(struct coordinator *coordinator, const char *state)
{
	char problem[80];

	coordinator_record(coordinator, RECORD_SLEPT_IN, state);
	if (strcmp(state, SLEEP_STATE_S3) == 0)
		return;
	snprintf(problem, sizeof(problem), "the host slept in %s, not in S3",
		 state[0] ? state : "an unknown state");
	coordinator_record(coordinator, RECORD_PROBLEM, problem);
}

/*
 * Lets the host sleep, and records how long the host slept or why it did not
 * sleep. Returns 0 even after a refused sleep; a negative errno if the host was not
 * asked to sleep, because the journal could not be written.
 */
static int sleep_host(struct run *run, struct sleeper *sleeper)
{
	struct coordinator *coordinator = run->coordinator;
	struct error error = { 0 };
	uint64_t slept_us = 0;
	char text[24], woken_by[64];
	int r = coordinator_record(coordinator, RECORD_PHASE, "sleep");

	if (r == 0)
		r = record_may_sleep(run);
	if (r < 0)
		return r;
	if (sleeper->ops->enter(sleeper, coordinator->loop, &slept_us, &error) < 0) {
		coordinator_record(coordinator, RECORD_AWAKE, error_text(&error));
		return 0;
	}
	snprintf(text, sizeof(text), "%" PRIu64, slept_us);
	coordinator_record(coordinator, RECORD_SLEPT, text);
	wakeup_name(run->wakeup, woken_by, sizeof(woken_by));
	record_state(coordinator, sleeper->state);
	coordinator_record(coordinator, RECORD_WOKEN_BY, woken_by);
	return 0;
}

static void record_written(struct run *run)
{
	uint64_t now = written_bytes(run->io_fd);
	char text[24];

	if (now == UINT64_MAX || run->written_before == UINT64_MAX)
		return;
	snprintf(text, sizeof(text), "%" PRIu64, now - run->written_before);
	/* An error is ignored, because the cycle is complete without this record. */
	coordinator_record(run->coordinator, RECORD_WRITTEN, text);
}

/* What a user asks in the morning. Read when the guests run, because it can wait. */
static void record_circumstances(struct run *run)
{
	struct coordinator *coordinator = run->coordinator;
	int after = battery_percent(coordinator->roots->sys);
	char text[32];

	if (context_cycle(coordinator)->slept_us == CYCLE_NEVER)
		return;
	if (coordinator->lid && !lid_is_gone(coordinator->lid))
		coordinator_record(coordinator, RECORD_LID,
				   lid_is_closed(coordinator->lid) ? "closed" : "open");
	if (run->battery_before < 0 || after < 0)
		return;
	snprintf(text, sizeof(text), "%d %d", run->battery_before, after);
	coordinator_record(coordinator, RECORD_BATTERY, text);
}

/*
 * Suspends all guests of the plan, and then lets the host sleep if there is a
 * sleeper. Watches the lid meanwhile.
 */
static int suspend_and_sleep(struct run *run, const struct cycle_params *params,
			     struct error *error)
{
	struct loop *loop = run->coordinator->loop;
	const struct cycle *cycle = context_cycle(run->coordinator);
	int r;

	/*
	 * If this fails, an opened lid is noticed only at the next event of
	 * another kind.
	 */
	if (run->lid)
		loop_watch_fd(loop, lid_fd(run->lid));
	r = suspend_guests(run, params->sleeper != NULL, error);
	if (r == 0 && !cycle->aborted && (params->sleeper || params->resumes_at_once))
		resume_prepare(run->coordinator);
	if (r == 0 && !cycle->aborted && params->sleeper)
		r = sleep_host(run, params->sleeper);
	loop_watch_fd(loop, -EBADF);
	if (r < 0)
		error_set(error, r, "cannot write the journal in %s: %s",
			  run->coordinator->roots->journals, strerror(-r));
	return r;
}

/* Ends the cycle with its guests suspended. */
static int keep_suspended(struct run *run, struct error *error)
{
	struct coordinator *coordinator = run->coordinator;
	int r = coordinator_record(coordinator, RECORD_KEPT_SUSPENDED, "");

	/* Without this record, the next process would take the cycle for an interrupted one. */
	return r < 0 ? error_set(error, r, "cannot write the journal in %s: %s",
				 coordinator->roots->journals, strerror(-r))
		     : 0;
}

/*
 * Runs the rest of the cycle, after begin_journal: suspends the guests, lets the
 * host sleep, and resumes the guests. A failure skips to the resume. If nothing
 * failed and the guests must be kept suspended, does not resume them.
 */
static int run_journalled(struct run *run, const struct cycle_params *params,
			  struct report **ret_report, struct error *error)
{
	struct coordinator *coordinator = run->coordinator;
	const struct cycle *cycle = context_cycle(run->coordinator);
	struct error failure = { 0 };
	int r = suspend_and_sleep(run, params, &failure);

	if (r == 0 && !cycle->aborted && !params->sleeper && !params->resumes_at_once) {
		r = keep_suspended(run, &failure);
		/* From now on one cycle has all guests that are kept suspended. */
		if (r == 0)
			take_over_guests(coordinator, true);
		if (r == 0)
			return report_new(cycle, ret_report);
	}
	if (r < 0)
		coordinator_record(coordinator, RECORD_ABORT, error_text(&failure));
	coordinator_resume_guests(coordinator, NULL);
	record_circumstances(run);
	record_written(run);
	coordinator_prearm(coordinator);
	return coordinator_finish(coordinator, params->is_measurement, ret_report, error);
}

static int make_head(struct run *run, const struct cycle_params *params, uint64_t start_us,
		     struct cycle_head *ret)
{
	struct coordinator *coordinator = run->coordinator;
	uint64_t since_us = loop_now(coordinator->loop) - start_us;
	int r;

	*ret = (struct cycle_head){
		.number = cycle_id_next(coordinator->roots, &run->plan.inventory),
		.base_us = start_us,
		.started_us = realtime_us() - since_us,
		.wants_sleep = params->sleeper != NULL,
	};
	snprintf(ret->trigger, sizeof(ret->trigger), "%s", params->trigger);
	r = boot_id_read(ret->boot_id);
	if (r == 0)
		r = directory_make(coordinator->roots->run);
	return r;
}

/* What keeps a cycle from being as configured. */
static void record_problems(struct coordinator *coordinator)
{
	const struct string_list *problems = &coordinator->config->problems;

	for (size_t i = 0; i < problems->n; i++)
		coordinator_record(coordinator, RECORD_PROBLEM, problems->texts[i]);
}

static int begin_journal(struct run *run, const struct cycle_params *params, uint64_t start_us,
			 struct error *error)
{
	struct coordinator *coordinator = run->coordinator;
	struct journal *journal;
	struct cycle_head head;
	int r = make_head(run, params, start_us, &head);

	if (r < 0)
		return error_set(error, r, "cannot begin a cycle in %s: %s",
				 coordinator->roots->run, strerror(-r));
	/* Only what stays suspended when this process has ended must be on record. */
	r = journal_create(coordinator->roots->journals, &head, &run->plan,
			   params->sleeper || params->resumes_at_once, &journal, error);
	if (r < 0)
		return r;
	*coordinator = context_of_cycle(coordinator, journal);
	/* If this fails, the next number follows from the journals, reports and requests. */
	cycle_id_store(coordinator->roots, head.number);
	/* A note that cannot be written ends no cycle. */
	journal_record(journal, RECORD_PHASE, start_us, 0, "%s", "inventory");
	record_leaving(run, start_us);
	take_over_guests(coordinator, false);
	if (run->unreadable.text[0])
		coordinator_record(coordinator, RECORD_NOTE, run->unreadable.text);
	if (!params->is_measurement)
		record_problems(coordinator);
	if (run->is_battery_low)
		coordinator_record(coordinator, RECORD_NOTE,
				   "low battery: settings that keep the host awake were ignored");
	return 0;
}

static int suspend_planned(struct run *run, const struct cycle_params *params, uint64_t start_us,
			   struct report **ret_report, struct error *error)
{
	int r = coordinator_plan(run->coordinator, params, &run->plan, error);

	if (r < 0)
		return r;
	answers_shorten_timeouts(run->coordinator->roots, &run->plan);
	if (!plan_acts(&run->plan) && !params->sleeper && !run->has_stranded) {
		*ret_report = NULL;
		return 0;
	}
	if (params->sleeper) {
		params->sleeper->lid = run->lid;
		params->sleeper->run = run->coordinator->roots->run;
		r = params->sleeper->ops->prepare(params->sleeper, error);
		if (r < 0)
			return r;
		run->wakeup = wakeup_new(run->coordinator->roots->sys);
		run->battery_before = battery_percent(run->coordinator->roots->sys);
	}
	run->io_fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
	r = begin_journal(run, params, start_us, error);
	if (r == 0) {
		r = run_journalled(run, params, ret_report, error);
		answers_update(run->coordinator->roots, &run->plan,
			       context_cycle(run->coordinator));
	}
	if (params->sleeper)
		params->sleeper->ops->finish(params->sleeper);
	return r;
}

/*
 * Makes and saves the report of a sleep for which no cycle could begin: this host did not
 * sleep, and `reason` says why.
 */
static struct report *report_refusal(struct run *run, const struct cycle_params *params,
				     uint64_t start_us, const struct error *error)
{
	const char *reason = error_text(error);
	struct coordinator *coordinator = run->coordinator;
	const char *texts[] = { "inventory", reason, "" };
	enum record_type types[] = { RECORD_PHASE, RECORD_AWAKE, RECORD_END };
	struct cycle_head head;
	struct report *report = NULL;
	struct cycle cycle;

	if (make_head(run, params, start_us, &head) < 0)
		return NULL;
	cycle_init(&cycle, head.number);
	cycle.head = head;
	for (size_t i = 0; i < ELEMENTSOF(types); i++) {
		struct record record = { .type = types[i], .text = texts[i] };

		record.at_us = loop_now(coordinator->loop);
		cycle_apply(&cycle, &record);
	}
	/* Without memory or a disk, the reason is still the error of the command. */
	if (report_new(&cycle, &report) == 0)
		coordinator_save(coordinator, report);
	cycle_id_store(coordinator->roots, head.number);
	cycle_done(&cycle);
	return report;
}

/*
 * Recovers earlier cycles. One whose journal cannot be read is no reason to stay awake:
 * run->unreadable says which.
 */
static int recover_earlier(struct run *run, struct coordinator *coordinator, struct error *error)
{
	struct error *unreadable = &run->unreadable;
	struct resume_result result;
	int r = coordinator_recover(coordinator, &result, unreadable);

	run->has_stranded = result.n_stranded > 0;
	snprintf(run->stranded, sizeof(run->stranded), "%s", result.stranded);
	report_free(result.report);

	if (r == 0 || r == -ENOTRECOVERABLE)
		return 0;
	error_set(error, r, "%s", error_text(unreadable));
	error_mark(error, r, unreadable->outcome);
	return r;
}

/*
 * Adds the guests that are still suspended, if there are any, to the error of a cycle that could
 * not begin: they are worse than its reason `r`, unless that is a wrong command. Returns the
 * negative errno of the error.
 */
static int name_stranded(const struct run *run, int r, struct error *error)
{
	struct error reason;

	if (!run->has_stranded || !error || error->outcome == OUTCOME_NOT_FOUND)
		return r;
	reason = *error;
	error_replace(
		error, -ENOTRECOVERABLE,
		"%s could not be resumed: see 'pmcoord report', then try 'pmcoord resume-all'; %s",
		run->stranded, error_text(&reason));
	error_mark(error, -ENOTRECOVERABLE, OUTCOME_UNRECOVERABLE);
	return -ENOTRECOVERABLE;
}

int coordinator_suspend(struct coordinator *coordinator, const struct cycle_params *params,
			struct report **ret_report, struct error *error)
{
	struct config without_vetoes = config_without_vetoes(coordinator->config);
	struct coordinator cycle_context = *coordinator;
	struct run run = { .coordinator = &cycle_context, .io_fd = -EBADF };
	uint64_t start_us;
	int r;

	assert(params && params->trigger && ret_report);
	assert(coordinator->roots && coordinator->loop && !coordinator->journal);
	start_us = loop_now(coordinator->loop);
	r = recover_earlier(&run, coordinator, error);
	if (r < 0) {
		r = name_stranded(&run, r, error);
		if (params->sleeper)
			*ret_report = report_refusal(&run, params, start_us, error);
		return r;
	}
	run.is_battery_low = params->sleeper &&
			     battery_is_low(coordinator->roots->sys,
					    (unsigned int)coordinator->config->low_battery_percent);
	if (run.is_battery_low)
		cycle_context.config = &without_vetoes;
	if (params->sleeper && cycle_context.config->abort_on_lid_open)
		run.lid = coordinator->lid;
	run.scope = (struct census_scope){
		.selects_all = params->n_names == 0,
		.with_dependents = !params->force,
	};
	start_us = loop_now(coordinator->loop);
	*ret_report = NULL;
	r = suspend_planned(&run, params, start_us, ret_report, error);
	if (r < 0)
		r = name_stranded(&run, r, error);
	if (r < 0 && params->sleeper && !*ret_report)
		*ret_report = report_refusal(&run, params, start_us, error);
	run_done(&run);
	return r;
}

struct report *coordinator_report_refusal(struct coordinator *coordinator,
					  const struct cycle_params *params,
					  const struct error *error)
{
	struct coordinator context = *coordinator;
	struct run run = { .coordinator = &context };

	assert(params && params->trigger && params->sleeper && error);
	return report_refusal(&run, params, loop_now(coordinator->loop), error);
}
