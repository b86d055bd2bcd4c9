/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Quiesces the guest: runs the steps of quiesce_steps[] one after the other. A step
 * that has to wait (for a child process, a D-Bus call or the kernel) returns 1, and its
 * callback later calls quiesce_step_done(). The journal records each change in the guest
 * (an "effect") before the change is made.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "pmcoord/error.h"
#include "guest/files.h"
#include "guest/freezer.h"
#include "guest/log.h"
#include "guest/settings.h"
#include "guest/task.h"
#include "net/manager.h"
#include "devices/device.h"
#include "devices/inventory.h"
#include "devices/modules.h"
#include "engine/engine-state.h"
#include "engine/engine.h"
#include "engine/hooks.h"
#include "engine/inhibitors.h"
#include "engine/journal.h"

/* The maximum time that is reserved for the kernel's own suspend. */
#define KERNEL_RESERVE_US 2000000ull

/* The minimum value that is written to pm_freeze_timeout, even if less time is left. */
#define KERNEL_FREEZE_MIN_MS 100ull

static void quiesce_step_done(struct engine *engine, int r, const char *reason);

static uint64_t time_left_us(const struct engine *engine)
{
	uint64_t now = clock_now_us();

	return now < engine->deadline_us ? engine->deadline_us - now : 0;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- The steps: each returns 0 if complete, 1 if under way, or negative errno ---- */

static int start_pre_hook(struct engine *engine, struct error *error);

static void on_pre_hook(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	struct error error = { 0 };
	char failure[400];
	int r;

	task_free(engine->task);
	engine->task = NULL;
	if (engine_describe_hook_failure(engine, result, failure, sizeof(failure))) {
		if (engine->setup.settings->hook_failure_counts) {
			quiesce_step_done(engine, -ECANCELED, failure);
			return;
		}
		log_line(engine->setup.log, LOG_LEVEL_WARNING, "%s, ignoring", failure);
	}
	r = start_pre_hook(engine, &error);
	if (r <= 0)
		quiesce_step_done(engine, r, error.text);
}

static int start_pre_hook(struct engine *engine, struct error *error)
{
	const char *name;
	int r;

	if (engine->next_hook >= engine->hooks.n_names)
		return 0;
	name = engine->hooks.names[engine->next_hook++];
	r = journal_add(engine->setup.journal, EFFECT_HOOK, name, error);
	if (r == 0)
		r = engine_run_hook(engine, name, "pre", on_pre_hook);
	if (r < 0)
		return error_set(error, r, "cannot run hook %s: %s", name, strerror(-r));
	return 1;
}

static int quiesce_hooks(struct engine *engine, struct error *error)
{
	int r = hook_list_read(&engine->hooks, engine->setup.roots);

	if (r < 0)
		return error_set(error, r, "cannot list the hooks in suspend.d: %s", strerror(-r));
	engine->next_hook = 0;
	return start_pre_hook(engine, error);
}

void engine_set_inhibitor_policy(struct engine *engine, engine_honours_fn honours, void *userdata)
{
	engine->honours_inhibitors = honours;
	engine->honours_userdata = userdata;
}

static int check_inhibitors(struct engine *engine, struct error *error)
{
	char inhibitor[300];

	if (!engine->setup.settings->honour_inhibitors ||
	    !inhibitors_find(engine->setup.roots, inhibitor, sizeof(inhibitor)))
		return 0;
	if (!engine->honours_inhibitors || engine->honours_inhibitors(engine->honours_userdata))
		return error_set(error, -ECANCELED, "%s", inhibitor);
	log_line(engine->setup.log, LOG_LEVEL_NOTICE, "%s; ignored on dom0's instruction",
		 inhibitor);
	return 0;
}

/*
 * Logs that NetworkManager could not be notified. The cycle continues. After a timeout
 * NetworkManager may still prepare for sleep, so the restore notifies it of the resume.
 * After any other failure the restore does not notify it.
 */
static void ignore_manager_failure(struct engine *engine, int r, const char *text)
{
	struct journal *journal = engine->setup.journal;

	log_line(engine->setup.log, LOG_LEVEL_WARNING,
		 "NetworkManager did not prepare for sleep: %s, ignoring",
		 text[0] ? text : strerror(-r));
	/* The last recorded effect is that of NetworkManager. */
	if (r != -ETIMEDOUT)
		journal_undone(journal, journal->n_effects - 1);
}

static void on_manager_suspended(void *userdata, int r, const char *text)
{
	struct engine *engine = userdata;

	manager_call_free(engine->manager_call);
	engine->manager_call = NULL;
	if (r < 0)
		ignore_manager_failure(engine, r, text);
	quiesce_step_done(engine, 0, NULL);
}

/*
 * If the network manager runs, records that the restore must notify it. Returns 1 if this
 * was recorded, 0 if the network manager does not run, or negative errno.
 */
static int record_manager(struct engine *engine, enum manager manager, struct error *error)
{
	int r;

	if (!manager_is_running(engine->setup.roots, manager))
		return 0;
	r = journal_add(engine->setup.journal, EFFECT_MANAGER, manager_name(manager), error);
	return r < 0 ? r : 1;
}

static int quiesce_managers(struct engine *engine, struct error *error)
{
	int r;

	if (engine->setup.settings->network_manager == NETWORK_MANAGER_NO)
		return 0;
	/*
	 * systemd-networkd has no call for a suspend. Its effect only makes the restore renew
	 * the leases of its links. NetworkManager is notified now.
	 */
	r = record_manager(engine, MANAGER_NETWORKD, error);
	if (r >= 0)
		r = record_manager(engine, MANAGER_NETWORK_MANAGER, error);
	if (r <= 0)
		return r;
	r = manager_call_start(engine->setup.event, engine->setup.roots, MANAGER_NETWORK_MANAGER,
			       true, min_u64(MANAGER_TIMEOUT_US, time_left_us(engine) / 4),
			       on_manager_suspended, engine, &engine->manager_call);
	if (r < 0)
		ignore_manager_failure(engine, r, "");
	return r < 0 ? 0 : 1;
}

static void sync_body(void *data, struct task_report *report)
{
	(void)data;
	(void)report;
	sync();
}

/* A sync that takes too long does not fail the cycle. */
static void on_synced(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	const char *note = "the sync of the file systems timed out";

	task_free(engine->task);
	engine->task = NULL;
	if (result->timed_out) {
		log_line(engine->setup.log, LOG_LEVEL_WARNING, "%s, ignoring", note);
		engine_note(engine, note);
	}
	quiesce_step_done(engine, 0, NULL);
}

static int quiesce_sync(struct engine *engine, struct error *error)
{
	struct task_spec spec = {
		.name = "sync",
		.body = sync_body,
		.timeout_us = time_left_us(engine) / 4,
		.done = on_synced,
		.userdata = engine,
	};
	int r;

	if (!engine->setup.settings->sync)
		return 0;
	r = task_start(engine->setup.event, &spec, &engine->task);
	if (r < 0)
		return error_set(error, r, "cannot start a child process to sync file systems: %s",
				 strerror(-r));
	return 1;
}

/*
 * Lists the PCI functions if the cycle may stop a device or unload a module. Otherwise
 * append_kept_now() in restore.c lists them after the wake, for the detail that dom0 reads.
 */
static int read_devices(struct engine *engine, struct error *error)
{
	const struct settings *settings = engine->setup.settings;
	int r;

	if (!settings->devices && settings->n_rules == 0 && settings->n_unload == 0)
		return 0;
	r = inventory_read(&engine->inventory, engine->setup.roots, settings,
			   engine->setup.claimed);
	if (r < 0)
		return error_set(error, r, "cannot list PCI functions: %s", strerror(-r));
	return 0;
}

static void on_device_stopped(void *userdata, struct device *device, int r)
{
	struct engine *engine = userdata;
	char reason[512];

	engine_find_stopped(engine, device)->pending = false;
	if (!engine->quiescing)
		return;
	snprintf(reason, sizeof(reason), "device %s %s %s", device_address(device),
		 device_driver(device), device_text(device));
	if (r < 0)
		quiesce_step_done(engine, r, reason);
	else if (!engine_has_pending_device(engine))
		quiesce_step_done(engine, 0, NULL);
}

static int stop_function(struct engine *engine, const struct pci_function *function,
			 struct error *error)
{
	struct journal *journal = engine->setup.journal;
	char text[EFFECT_TEXT_MAX];
	struct stopped_device *stopped;
	int r = engine_add_stopped(engine, function->address, function->driver, journal->n_effects,
				   &stopped);

	snprintf(text, sizeof(text), "%s %s", function->address, function->driver);
	if (r == 0)
		r = journal_add(journal, EFFECT_DEVICE, text, error);
	if (r == 0)
		r = device_stop(stopped->device, on_device_stopped, engine);
	if (r < 0)
		return error_set(error, r, "cannot stop device %s: %s", text, strerror(-r));
	stopped->pending = true;
	return 0;
}

/*
 * Stops all PCI functions with this value of `early` in parallel. Each function has its own
 * child process, which waits only for that function's hardware. Returns 0, 1 or negative
 * errno, as a step does.
 */
static int stop_functions(struct engine *engine, bool early, struct error *error)
{
	engine->device_context.stop_timeout_us =
		min_u64(engine->setup.settings->unbind_timeout_us, time_left_us(engine));
	for (size_t i = 0; i < engine->inventory.n_functions; i++) {
		const struct pci_function *function = &engine->inventory.functions[i];
		int r;

		if ((function->action != DEVICE_UNBIND && function->action != DEVICE_MODULE) ||
		    function->early != early)
			continue;
		r = stop_function(engine, function, error);
		if (r < 0)
			return r;
	}
	return engine_has_pending_device(engine) ? 1 : 0;
}

static int quiesce_early_devices(struct engine *engine, struct error *error)
{
	return stop_functions(engine, true, error);
}

static int quiesce_devices(struct engine *engine, struct error *error)
{
	return stop_functions(engine, false, error);
}

static void on_frozen(void *userdata, int r, const struct error *error)
{
	struct engine *engine = userdata;

	freezer_wait_free(engine->freeze_wait);
	engine->freeze_wait = NULL;
	quiesce_step_done(engine, r, error->text);
}

static int freeze_cgroup(struct engine *engine, const char *cgroup, struct error *error)
{
	const struct roots *roots = engine->setup.roots;
	struct error refusal = { 0 };
	int r;

	if (freezer_get(roots, cgroup) != FREEZER_THAWED)
		return 0;
	if (freezer_check(roots, cgroup, &refusal) < 0) {
		log_line(engine->setup.log, LOG_LEVEL_WARNING, "%s", refusal.text);
		return 0;
	}
	r = journal_add(engine->setup.journal, EFFECT_FREEZE, cgroup, error);
	if (r == 0)
		r = freezer_set(roots, cgroup, true);
	/* ENOENT: the cgroup was removed meanwhile, because its last process has ended. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(error, r, "cannot freeze %s: %s", cgroup, strerror(-r));
	engine->frozen[engine->n_frozen++] = cgroup;
	return 0;
}

static int quiesce_freeze(struct engine *engine, struct error *error)
{
	const struct settings *settings = engine->setup.settings;
	int r = 0;

	engine->frozen = calloc(settings->n_freeze + 1, sizeof(*engine->frozen));
	if (!engine->frozen)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < settings->n_freeze; i++)
		r = freeze_cgroup(engine, settings->freeze[i], error);
	if (r < 0 || engine->n_frozen == 0)
		return r;
	r = freezer_wait_start(engine->setup.event, engine->setup.roots, engine->frozen,
			       engine->n_frozen, time_left_us(engine) / 2, on_frozen, engine,
			       &engine->freeze_wait);
	if (r < 0)
		return error_set(error, r, "cannot wait until the cgroups are frozen: %s",
				 strerror(-r));
	return r == 1 ? 0 : 1;
}

static int unload_next(struct engine *engine, struct error *error);

/* A module that cannot be unloaded does not fail the cycle. */
static void on_unloaded(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	struct error error = { 0 };
	char what[TASK_TEXT_MAX], note[400];
	int r;

	task_free(engine->task);
	engine->task = NULL;
	if (task_describe_failure(result, what, sizeof(what))) {
		snprintf(note, sizeof(note), "unloading module %s %s", engine->module_run.name,
			 what);
		log_line(engine->setup.log, LOG_LEVEL_WARNING, "%s, ignoring", note);
		engine_note(engine, note);
	}
	r = unload_next(engine, &error);
	if (r <= 0)
		quiesce_step_done(engine, r, error.text);
}

static int unload_next(struct engine *engine, struct error *error)
{
	const char *name;
	int r;

	if (engine->next_module >= engine->modules.n_names)
		return 0;
	name = engine->modules.names[engine->next_module++];
	r = journal_add(engine->setup.journal, EFFECT_MODULE, name, error);
	if (r == 0)
		r = engine_run_modprobe(engine, name, false,
					engine->setup.settings->unbind_timeout_us, on_unloaded);
	if (r < 0)
		return error_set(error, r, "cannot unload module %s: %s", name, strerror(-r));
	return 1;
}

static int quiesce_modules(struct engine *engine, struct error *error)
{
	int r = module_list_make(&engine->modules, engine->setup.roots, engine->setup.settings,
				 &engine->inventory);

	if (r < 0)
		return error_set(error, r, "cannot list modules: %s", strerror(-r));
	engine->next_module = 0;
	return unload_next(engine, error);
}

/*
 * Limits the time in which the kernel freezes user space, and then the time in which it
 * freezes its own threads. The default of 20 s for each is longer than dom0 waits, and
 * the kernel does not notify dom0 when it fails to suspend.
 */
static int quiesce_kernel_limit(struct engine *engine, struct error *error)
{
	const char *sys = engine->setup.roots->sys;
	/* Half for user space, half for kernel threads; µs to ms. */
	uint64_t limit_ms = time_left_us(engine) / 2 / 1000;
	char before[32], after[32];
	int r = file_read(before, sizeof(before), "%s/power/pm_freeze_timeout", sys);

	/* Not every kernel has this attribute. */
	if (r <= 0)
		return 0;
	if (limit_ms < KERNEL_FREEZE_MIN_MS)
		limit_ms = KERNEL_FREEZE_MIN_MS;
	r = journal_add(engine->setup.journal, EFFECT_FREEZE_TIMEOUT, before, error);
	if (r < 0)
		return r;
	snprintf(after, sizeof(after), "%" PRIu64, limit_ms);
	r = file_write_at(after, "%s/power/pm_freeze_timeout", sys);
	if (r < 0)
		log_line(engine->setup.log, LOG_LEVEL_WARNING,
			 "cannot set %s/power/pm_freeze_timeout: %s, ignoring", sys, strerror(-r));
	return 0;
}

static const struct quiesce_step {
	const char *what; /* the step's name in messages */
	int (*start)(struct engine *engine, struct error *error);
} quiesce_steps[] = {
	{ "inhibitors", check_inhibitors },
	{ "pre hooks", quiesce_hooks },
	{ "network managers", quiesce_managers },
	{ "sync", quiesce_sync },
	{ "device list", read_devices },
	{ "sound and video devices", quiesce_early_devices },
	{ "freezing", quiesce_freeze },
	{ "devices", quiesce_devices },
	{ "modules", quiesce_modules },
	{ "the kernel's time limit", quiesce_kernel_limit },
};

_Static_assert(ELEMENTSOF(quiesce_steps) <= ENGINE_STEPS_MAX, "ENGINE_STEPS_MAX is too small");

static void record_step(struct engine *engine)
{
	uint64_t now_us = clock_now_us();

	engine->steps[engine->step] = (struct engine_step){
		.what = quiesce_steps[engine->step].what,
		.duration_us = now_us - engine->step_start_us,
	};
	engine->step_start_us = now_us;
	engine->step++;
}

static void end_quiesce(struct engine *engine, int r, const char *reason)
{
	engine->limit = sd_event_source_disable_unref(engine->limit);
	engine->quiescing = false;
	engine->on_quiesced(engine->userdata, r, reason ? reason : "");
}

static void run_quiesce_steps(struct engine *engine)
{
	struct error error = { 0 };
	int r = 0;

	while (engine->step < ELEMENTSOF(quiesce_steps)) {
		r = quiesce_steps[engine->step].start(engine, &error);
		if (r != 0)
			break;
		record_step(engine);
	}
	if (r <= 0)
		end_quiesce(engine, r, error.text);
}

/*
 * Called when a step that returned 1 has ended. If `r` is 0, continues with the next step.
 * If `r` is negative, ends quiescing with that failure.
 */
static void quiesce_step_done(struct engine *engine, int r, const char *reason)
{
	if (r < 0) {
		end_quiesce(engine, r, reason);
		return;
	}
	record_step(engine);
	run_quiesce_steps(engine);
}

/* Returns the name of the hook or module that the current step waits for, or "". */
static const char *running_program(const struct engine *engine)
{
	if (!engine->task)
		return "";
	if (quiesce_steps[engine->step].start == quiesce_hooks)
		return engine->hook_run.name;
	if (quiesce_steps[engine->step].start == quiesce_modules)
		return engine->module_run.name;
	return "";
}

static int on_quiesce_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct engine *engine = userdata;
	const char *program = running_program(engine);
	char reason[512];

	(void)source;
	(void)usec;
	snprintf(reason, sizeof(reason), "timed out in step '%s'%s%s%s",
		 quiesce_steps[engine->step].what, program[0] ? " (" : "", program,
		 program[0] ? ")" : "");
	end_quiesce(engine, -ETIMEDOUT, reason);
	return 0;
}

void engine_quiesce(struct engine *engine, uint64_t cycle, uint64_t timeout_us,
		    engine_quiesced_fn done, void *userdata)
{
	uint64_t reserve_us = min_u64(timeout_us / 4, KERNEL_RESERVE_US);
	struct error error = { 0 };
	int r;

	assert(done && !engine->quiescing && !engine->restoring);

	engine_reset(engine);
	engine->cycle = cycle;
	engine->step_start_us = clock_now_us();
	engine->deadline_us = engine->step_start_us + timeout_us;
	engine->step = 0;
	engine->on_quiesced = done;
	engine->userdata = userdata;
	engine->quiescing = true;
	r = journal_begin(engine->setup.journal, cycle, &error);
	if (r == 0)
		r = sd_event_add_time_relative(engine->setup.event, &engine->limit, CLOCK_MONOTONIC,
					       timeout_us - reserve_us, 0, on_quiesce_limit,
					       engine);
	if (r < 0) {
		error_set(&error, r, "cannot start the cycle: %s", strerror(-r));
		end_quiesce(engine, r, error.text);
		return;
	}
	run_quiesce_steps(engine);
}
