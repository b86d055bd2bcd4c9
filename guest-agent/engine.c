/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest-agent/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/freezer.h"
#include "guest-agent/hooks.h"
#include "guest-agent/inhibitors.h"
#include "guest-agent/manager.h"
#include "guest-agent/modules.h"
#include "pmcoord/parse.h"

/* The kernel waits this long at most for its own part, and never less. */
#define KERNEL_RESERVE_US 2000000ull
#define KERNEL_FREEZE_MIN_MS 100ull

/* NetworkManager answers within milliseconds, or hangs. */
#define MANAGER_TIMEOUT_US 2000000ull

/* A device and the effect that recorded its stop. */
struct unit {
	struct device *device;
	size_t effect;
	bool pending; /* on its way, down or up */
};

struct engine {
	struct engine_setup setup;
	struct device_context device_context;
	sd_event_source *limit; /* of going down; of waiting to thaw */
	uint64_t cycle;
	uint64_t deadline_us; /* down by then, the kernel included */
	size_t step;
	bool going_down;
	bool going_up;
	engine_down_fn down_done;
	engine_up_fn up_done;
	void *userdata;

	struct hook_list hooks;
	size_t next_hook;
	struct hook_run hook_run;
	struct task *task;
	struct manager_call *manager_call;

	struct inventory inventory;
	struct module_list modules;
	size_t next_module;
	struct module_run module_run;
	struct unit *units;
	size_t n_units;

	const char **frozen;
	size_t n_frozen;
	struct freezer_wait *freeze_wait;

	size_t cursor; /* effects below it are still to be undone */
	bool thaw_overdue;
	bool degraded;
	char problems[512];
};

static void down_step_done(struct engine *engine, int r, const char *reason);
static void undo_next(struct engine *engine);

int engine_new(const struct engine_setup *setup, struct engine **ret)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	engine->setup = *setup;
	engine->device_context = (struct device_context){
		.event = setup->event,
		.roots = setup->roots,
		.ops = setup->device_ops,
		.log = setup->log,
		.start_timeout_us = setup->settings->restore_timeout_us,
		.stuck_patience_us = setup->settings->thaw_after_us,
		.compact_memory = setup->settings->compact_memory,
	};
	*ret = engine;
	return 0;
}

/* Lets go of the step that is under way. */
static void interrupt(struct engine *engine)
{
	engine->limit = sd_event_source_disable_unref(engine->limit);
	task_free(engine->task);
	engine->task = NULL;
	manager_call_free(engine->manager_call);
	engine->manager_call = NULL;
	freezer_wait_free(engine->freeze_wait);
	engine->freeze_wait = NULL;
}

/* Lets go of what the last cycle needed. */
static void reset(struct engine *engine)
{
	interrupt(engine);
	for (size_t i = 0; i < engine->n_units; i++) {
		links_forget(engine->setup.roots,
			     device_address(engine->units[i].device));
		device_free(engine->units[i].device);
	}
	free(engine->units);
	engine->units = NULL;
	engine->n_units = 0;
	free(engine->frozen);
	engine->frozen = NULL;
	engine->n_frozen = 0;
	hook_list_done(&engine->hooks);
	module_list_done(&engine->modules);
	inventory_done(&engine->inventory);
	engine->thaw_overdue = false;
	engine->degraded = false;
	engine->problems[0] = '\0';
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	reset(engine);
	free(engine);
}

static uint64_t time_left_us(const struct engine *engine)
{
	uint64_t now = clock_now_us();

	return now < engine->deadline_us ? engine->deadline_us - now : 0;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- Hooks, both ways ---- */

/* Says in `ret` what a hook did wrong, with its name. Returns false if not. */
static bool hook_complains(const struct engine *engine,
			   const struct task_result *result, char *ret,
			   size_t size)
{
	char what[TASK_TEXT_MAX];

	if (!hook_describe(result, what, sizeof(what)))
		return false;
	snprintf(ret, size, "hook %s %s %s", engine->hook_run.name,
		 engine->hook_run.verb, what);
	return true;
}

static int run_hook(struct engine *engine, const char *name, const char *verb,
		    task_done_fn done)
{
	engine->hook_run = (struct hook_run){
		.roots = engine->setup.roots,
		.name = name,
		.verb = verb,
		.cycle = engine->cycle,
	};
	return hook_start(engine->setup.event, &engine->hook_run,
			  engine->setup.settings->hook_timeout_us, done, engine,
			  &engine->task);
}

/* ---- Down, a step after the other: 0 done, 1 under way, or negative ---- */

static int start_pre_hook(struct engine *engine, struct error *error);

static void on_pre_hook(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	struct error error = { 0 };
	char complaint[400];
	int r;

	task_free(engine->task);
	engine->task = NULL;
	if (hook_complains(engine, result, complaint, sizeof(complaint))) {
		if (engine->setup.settings->hook_failure_counts) {
			down_step_done(engine, -ECANCELED, complaint);
			return;
		}
		log_line(engine->setup.log, LOG_LEVEL_WARNING, "%s, ignoring",
			 complaint);
	}
	r = start_pre_hook(engine, &error);
	if (r <= 0)
		down_step_done(engine, r, error.text);
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
		r = run_hook(engine, name, "pre", on_pre_hook);
	if (r < 0)
		return error_set(error, r, "cannot run hook %s: %s", name,
				 strerror(-r));
	return 1;
}

static int down_hooks(struct engine *engine, struct error *error)
{
	int r = hook_list_read(&engine->hooks, engine->setup.roots);

	if (r < 0)
		return error_set(error, r, "cannot list suspend.d: %s",
				 strerror(-r));
	engine->next_hook = 0;
	return start_pre_hook(engine, error);
}

static int down_inhibitors(struct engine *engine, struct error *error)
{
	char who[300];

	if (engine->setup.settings->honour_inhibitors &&
	    inhibitors_find(engine->setup.roots, who, sizeof(who)))
		return error_set(error, -ECANCELED, "%s", who);
	return 0;
}

/*
 * A manager that does not answer costs time, and nothing else; one that does
 * not run, or refuses, need not be woken either.
 */
static void manager_refused(struct engine *engine, int r, const char *text)
{
	struct journal *journal = engine->setup.journal;

	log_line(engine->setup.log, LOG_LEVEL_WARNING,
		 "NetworkManager does not sleep: %s, ignoring",
		 text[0] ? text : strerror(-r));
	if (r != -ETIMEDOUT)
		journal_undone(journal, journal->n_effects - 1);
}

static void on_manager_asleep(void *userdata, int r, const char *text)
{
	struct engine *engine = userdata;

	manager_call_free(engine->manager_call);
	engine->manager_call = NULL;
	if (r < 0)
		manager_refused(engine, r, text);
	down_step_done(engine, 0, NULL);
}

static int down_manager(struct engine *engine, struct error *error)
{
	int r;

	if (engine->setup.settings->network_manager == NETWORK_MANAGER_NO ||
	    !manager_is_there(engine->setup.roots))
		return 0;
	r = journal_add(engine->setup.journal, EFFECT_MANAGER, "sleep", error);
	if (r < 0)
		return r;
	r = manager_call_sleep(
		engine->setup.event, true,
		at_most(MANAGER_TIMEOUT_US, time_left_us(engine) / 4),
		on_manager_asleep, engine, &engine->manager_call);
	if (r < 0)
		manager_refused(engine, r, "");
	return r < 0 ? 0 : 1;
}

static int down_inventory(struct engine *engine, struct error *error)
{
	int r = inventory_read(&engine->inventory, engine->setup.roots,
			       engine->setup.settings, engine->setup.claimed);

	if (r < 0)
		return error_set(error, r, "cannot list PCI functions: %s",
				 strerror(-r));
	return 0;
}

static bool is_pending(const struct engine *engine)
{
	for (size_t i = 0; i < engine->n_units; i++)
		if (engine->units[i].pending)
			return true;
	return false;
}

static struct unit *find_unit(struct engine *engine,
			      const struct device *device)
{
	for (size_t i = 0; i < engine->n_units; i++)
		if (engine->units[i].device == device)
			return &engine->units[i];
	return NULL;
}

static int add_unit(struct engine *engine, const char *address,
		    const char *driver, size_t effect, struct unit **ret)
{
	struct unit *units =
		realloc(engine->units, (engine->n_units + 1) * sizeof(*units));
	struct device *device;
	int r;

	if (!units)
		return -ENOMEM;
	engine->units = units;
	r = device_new(&engine->device_context, address, driver, &device);
	if (r < 0)
		return r;
	units[engine->n_units] =
		(struct unit){ .device = device, .effect = effect };
	*ret = &units[engine->n_units++];
	return 0;
}

static void on_device_stopped(void *userdata, struct device *device, int r)
{
	struct engine *engine = userdata;
	char reason[512];

	find_unit(engine, device)->pending = false;
	if (!engine->going_down)
		return;
	snprintf(reason, sizeof(reason), "device %s %s %s",
		 device_address(device), device_driver(device),
		 device_text(device));
	if (r < 0)
		down_step_done(engine, r, reason);
	else if (!is_pending(engine))
		down_step_done(engine, 0, NULL);
}

static int stop_function(struct engine *engine,
			 const struct pci_function *function,
			 struct error *error)
{
	struct journal *journal = engine->setup.journal;
	char text[EFFECT_TEXT_MAX];
	struct unit *unit;
	int r = add_unit(engine, function->address, function->driver,
			 journal->n_effects, &unit);

	snprintf(text, sizeof(text), "%s %s", function->address,
		 function->driver);
	if (r == 0)
		r = journal_add(journal, EFFECT_DEVICE, text, error);
	if (r == 0)
		r = device_stop(unit->device, on_device_stopped, engine);
	if (r < 0)
		return error_set(error, r, "cannot stop device %s: %s", text,
				 strerror(-r));
	unit->pending = true;
	return 0;
}

/* All that belong to this step at once: each waits for its own hardware. */
static int stop_functions(struct engine *engine, bool early,
			  struct error *error)
{
	engine->device_context.stop_timeout_us =
		at_most(engine->setup.settings->unbind_timeout_us,
			time_left_us(engine));
	for (size_t i = 0; i < engine->inventory.n_functions; i++) {
		const struct pci_function *function =
			&engine->inventory.functions[i];
		int r;

		if ((function->action != DEVICE_UNBIND &&
		     function->action != DEVICE_MODULE) ||
		    function->early != early)
			continue;
		r = stop_function(engine, function, error);
		if (r < 0)
			return r;
	}
	return is_pending(engine) ? 1 : 0;
}

static int down_early_devices(struct engine *engine, struct error *error)
{
	return stop_functions(engine, true, error);
}

static int down_devices(struct engine *engine, struct error *error)
{
	return stop_functions(engine, false, error);
}

static void on_frozen(void *userdata, int r, const struct error *error)
{
	struct engine *engine = userdata;

	freezer_wait_free(engine->freeze_wait);
	engine->freeze_wait = NULL;
	down_step_done(engine, r, error->text);
}

static int freeze_cgroup(struct engine *engine, const char *cgroup,
			 struct error *error)
{
	const struct roots *roots = engine->setup.roots;
	struct error refusal = { 0 };
	int r;

	if (freezer_get(roots, cgroup) != FREEZER_THAWED)
		return 0;
	if (freezer_check(roots, cgroup, &refusal) < 0) {
		log_line(engine->setup.log, LOG_LEVEL_WARNING, "%s",
			 refusal.text);
		return 0;
	}
	r = journal_add(engine->setup.journal, EFFECT_FREEZE, cgroup, error);
	if (r == 0)
		r = freezer_set(roots, cgroup, true);
	/* The last session has ended just now. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(error, r, "cannot freeze %s: %s", cgroup,
				 strerror(-r));
	engine->frozen[engine->n_frozen++] = cgroup;
	return 0;
}

static int down_freeze(struct engine *engine, struct error *error)
{
	const struct settings *settings = engine->setup.settings;
	int r = 0;

	engine->frozen =
		calloc(settings->n_freeze + 1, sizeof(*engine->frozen));
	if (!engine->frozen)
		return error_set(error, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < settings->n_freeze; i++)
		r = freeze_cgroup(engine, settings->freeze[i], error);
	if (r < 0 || engine->n_frozen == 0)
		return r;
	r = freezer_wait_start(engine->setup.event, engine->setup.roots,
			       engine->frozen, engine->n_frozen,
			       time_left_us(engine) / 2, on_frozen, engine,
			       &engine->freeze_wait);
	if (r < 0)
		return error_set(error, r, "cannot wait for cgroups: %s",
				 strerror(-r));
	return r == 1 ? 0 : 1;
}

static int unload_next(struct engine *engine, struct error *error);

/* A module in use stays: its device is unbound all the same. */
static void on_unloaded(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	struct error error = { 0 };
	char what[TASK_TEXT_MAX];
	int r;

	task_free(engine->task);
	engine->task = NULL;
	if (hook_describe(result, what, sizeof(what)))
		log_line(engine->setup.log, LOG_LEVEL_WARNING,
			 "unloading module %s %s, ignoring",
			 engine->module_run.name, what);
	r = unload_next(engine, &error);
	if (r <= 0)
		down_step_done(engine, r, error.text);
}

static int run_modprobe(struct engine *engine, const char *name, bool load,
			uint64_t timeout_us, task_done_fn done)
{
	engine->module_run = (struct module_run){
		.modprobe = engine->setup.device_ops->modprobe,
		.name = name,
		.load = load,
	};
	return module_start(engine->setup.event, &engine->module_run,
			    timeout_us, done, engine, &engine->task);
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
		r = run_modprobe(engine, name, false,
				 engine->setup.settings->unbind_timeout_us,
				 on_unloaded);
	if (r < 0)
		return error_set(error, r, "cannot unload module %s: %s", name,
				 strerror(-r));
	return 1;
}

static int down_modules(struct engine *engine, struct error *error)
{
	int r = module_list_make(&engine->modules, engine->setup.roots,
				 engine->setup.settings, &engine->inventory);

	if (r < 0)
		return error_set(error, r, "cannot list modules: %s",
				 strerror(-r));
	engine->next_module = 0;
	return unload_next(engine, error);
}

/*
 * The kernel gives user space and its own threads 20 s each to freeze, which is
 * longer than dom0 waits; and if they do not, it says so to nobody.
 */
static int down_kernel_limit(struct engine *engine, struct error *error)
{
	const char *sys = engine->setup.roots->sys;
	uint64_t limit_ms = time_left_us(engine) / 2000;
	char before[32], after[32];
	int r = file_read(before, sizeof(before), "%s/power/pm_freeze_timeout",
			  sys);

	/* Kernels without it exist, and are as they are. */
	if (r <= 0)
		return 0;
	if (limit_ms < KERNEL_FREEZE_MIN_MS)
		limit_ms = KERNEL_FREEZE_MIN_MS;
	r = journal_add(engine->setup.journal, EFFECT_FREEZE_TIMEOUT, before,
			error);
	if (r < 0)
		return r;
	snprintf(after, sizeof(after), "%" PRIu64, limit_ms);
	r = file_write_at(after, "%s/power/pm_freeze_timeout", sys);
	if (r < 0)
		log_line(engine->setup.log, LOG_LEVEL_WARNING,
			 "cannot set %s/power/pm_freeze_timeout: %s, ignoring",
			 sys, strerror(-r));
	return 0;
}

static const struct down_step {
	const char *what;
	int (*start)(struct engine *engine, struct error *error);
} down_steps[] = {
	{ "inhibitors", down_inhibitors },
	{ "pre hooks", down_hooks },
	{ "NetworkManager", down_manager },
	{ "looking at devices", down_inventory },
	{ "sound and video devices", down_early_devices },
	{ "freezing", down_freeze },
	{ "devices", down_devices },
	{ "modules", down_modules },
	{ "the kernel's time limit", down_kernel_limit },
};

static void end_down(struct engine *engine, int r, const char *reason)
{
	engine->limit = sd_event_source_disable_unref(engine->limit);
	engine->going_down = false;
	engine->down_done(engine->userdata, r, reason ? reason : "");
}

static void next_down_step(struct engine *engine)
{
	struct error error = { 0 };
	int r = 0;

	while (engine->step < ELEMENTSOF(down_steps)) {
		r = down_steps[engine->step].start(engine, &error);
		if (r != 0)
			break;
		engine->step++;
	}
	if (r <= 0)
		end_down(engine, r, error.text);
}

/* What a step calls that was under way. */
static void down_step_done(struct engine *engine, int r, const char *reason)
{
	if (r < 0) {
		end_down(engine, r, reason);
		return;
	}
	engine->step++;
	next_down_step(engine);
}

static int on_down_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct engine *engine = userdata;
	char reason[512];

	(void)source;
	(void)usec;
	snprintf(reason, sizeof(reason), "no time left: %s%s%s not done",
		 down_steps[engine->step].what, engine->task ? ", hook " : "",
		 engine->task ? engine->hook_run.name : "");
	end_down(engine, -ETIMEDOUT, reason);
	return 0;
}

void engine_go_down(struct engine *engine, uint64_t cycle, uint64_t timeout_us,
		    engine_down_fn done, void *userdata)
{
	uint64_t reserve_us = at_most(timeout_us / 4, KERNEL_RESERVE_US);
	struct error error = { 0 };
	int r;

	reset(engine);
	engine->cycle = cycle;
	engine->deadline_us = clock_now_us() + timeout_us;
	engine->step = 0;
	engine->down_done = done;
	engine->userdata = userdata;
	engine->going_down = true;
	r = journal_begin(engine->setup.journal, cycle, &error);
	if (r == 0)
		r = sd_event_add_time_relative(
			engine->setup.event, &engine->limit, CLOCK_MONOTONIC,
			timeout_us - reserve_us, 0, on_down_limit, engine);
	if (r < 0) {
		error_set(&error, r, "cannot begin: %s", strerror(-r));
		end_down(engine, r, error.text);
		return;
	}
	next_down_step(engine);
}

/* ---- Up, the journal backwards ---- */

static void add_problem(struct engine *engine, const char *problem)
{
	size_t used = strlen(engine->problems);

	engine->degraded = true;
	snprintf(engine->problems + used, sizeof(engine->problems) - used,
		 "%s%s", used ? "; " : "", problem);
	log_line(engine->setup.log, LOG_LEVEL_WARNING, "%s", problem);
}

static void on_device_started(void *userdata, struct device *device, int r)
{
	struct engine *engine = userdata;
	struct unit *unit = find_unit(engine, device);

	unit->pending = false;
	journal_undone(engine->setup.journal, unit->effect);
	if (r < 0 || device_text(device)[0] != '\0')
		engine->degraded = true;
	log_line(engine->setup.log, r < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		 "device %s %s: %s%s%s", device_address(device),
		 device_driver(device), r < 0 ? "lost" : "back",
		 device_text(device)[0] ? ": " : "", device_text(device));
	undo_next(engine);
}

/* The unit of an effect; made anew where a predecessor had recorded it. */
static int get_unit(struct engine *engine, size_t effect, struct unit **ret)
{
	char address[EFFECT_TEXT_MAX], *driver;

	for (size_t i = 0; i < engine->n_units; i++) {
		if (engine->units[i].effect == effect) {
			*ret = &engine->units[i];
			return 0;
		}
	}
	strcpy(address, engine->setup.journal->effects[effect].text);
	driver = strchr(address, ' ');
	if (!driver)
		return -EBADMSG;
	*driver = '\0';
	return add_unit(engine, address, driver + 1, effect, ret);
}

/* Undoing: 0 done, 1 under way and to be waited for, or negative. */

static int undo_device(struct engine *engine, size_t index)
{
	struct unit *unit;
	int r = get_unit(engine, index, &unit);

	if (r < 0)
		return r;
	unit->pending = true;
	r = device_start(unit->device, on_device_started, engine);
	if (r < 0)
		unit->pending = false;
	return r;
}

static int undo_freeze(struct engine *engine, size_t index)
{
	int r = freezer_set(engine->setup.roots,
			    engine->setup.journal->effects[index].text, false);

	return r == -ENOENT ? 0 : r;
}

static int undo_freeze_timeout(struct engine *engine, size_t index)
{
	int r = file_write_at(engine->setup.journal->effects[index].text,
			      "%s/power/pm_freeze_timeout",
			      engine->setup.roots->sys);

	return r == -ENOENT ? 0 : r;
}

static void undone(struct engine *engine, const char *problem);

static void on_post_hook(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	char complaint[400];

	task_free(engine->task);
	engine->task = NULL;
	undone(engine,
	       hook_complains(engine, result, complaint, sizeof(complaint))
		       ? complaint
		       : NULL);
}

static int undo_hook(struct engine *engine, size_t index)
{
	int r = run_hook(engine, engine->setup.journal->effects[index].text,
			 "post", on_post_hook);

	return r < 0 ? r : 1;
}

/* An effect that was under way, and the next. */
static void undone(struct engine *engine, const char *problem)
{
	if (problem)
		add_problem(engine, problem);
	journal_undone(engine->setup.journal, engine->cursor);
	undo_next(engine);
}

static void on_loaded(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	char what[TASK_TEXT_MAX], problem[400];
	bool failed;

	task_free(engine->task);
	engine->task = NULL;
	failed = hook_describe(result, what, sizeof(what)) != NULL;
	snprintf(problem, sizeof(problem), "loading module %s %s",
		 engine->module_run.name, failed ? what : "");
	undone(engine, failed ? problem : NULL);
}

static int undo_module(struct engine *engine, size_t index)
{
	int r = run_modprobe(engine, engine->setup.journal->effects[index].text,
			     true, engine->setup.settings->restore_timeout_us,
			     on_loaded);

	return r < 0 ? r : 1;
}

static void on_manager_awake(void *userdata, int r, const char *text)
{
	struct engine *engine = userdata;
	char problem[400];

	manager_call_free(engine->manager_call);
	engine->manager_call = NULL;
	snprintf(problem, sizeof(problem),
		 "NetworkManager does not wake up: %s",
		 text[0] ? text : strerror(-r));
	/* Never put to sleep, or awake already, is what is wanted. */
	undone(engine, r < 0 && r != -EALREADY && r != -EEXIST &&
				       !strstr(text, "lready")
			       ? problem
			       : NULL);
}

static int undo_manager(struct engine *engine, size_t index)
{
	int r = manager_call_sleep(engine->setup.event, false,
				   MANAGER_TIMEOUT_US, on_manager_awake, engine,
				   &engine->manager_call);

	(void)index;
	return r < 0 ? r : 1;
}

static const struct {
	int (*undo)(struct engine *engine, size_t index);
	/* Not before all devices are back or lost … */
	bool after_devices;
	/* … or, for those that are late, ThawAfter has passed. */
	bool impatient;
} undoers[] = {
	[EFFECT_HOOK] = { undo_hook, true, false },
	[EFFECT_MANAGER] = { undo_manager, true, false },
	[EFFECT_FREEZE] = { undo_freeze, true, true },
	[EFFECT_DEVICE] = { undo_device, false, false },
	[EFFECT_MODULE] = { undo_module, false, false },
	[EFFECT_FREEZE_TIMEOUT] = { undo_freeze_timeout, false, false },
};

static int on_thaw_overdue(sd_event_source *source, uint64_t usec,
			   void *userdata)
{
	struct engine *engine = userdata;

	(void)source;
	(void)usec;
	engine->thaw_overdue = true;
	undo_next(engine);
	return 0;
}

static bool must_wait(const struct engine *engine, enum effect_kind kind)
{
	return undoers[kind].after_devices && is_pending(engine) &&
	       !(undoers[kind].impatient && engine->thaw_overdue);
}

static void append_entry(char *detail, size_t size, const char *entry)
{
	size_t used = strlen(detail);

	snprintf(detail + used, size - used, "%s%s", used ? "; " : "", entry);
}

/* "0000:00:04.0 e1000e enp0s0 ok 1830ms" */
static void describe_unit(const struct unit *unit, char *ret, size_t size)
{
	const struct device *device = unit->device;
	const char *links = device_links(device);
	const char *text = device_text(device);
	bool back = device_state(device) == DEVICE_BACK;

	if (back)
		snprintf(ret, size, "%s %s%s%s ok %" PRIu64 "ms%s%s%s",
			 device_address(device), device_driver(device),
			 links[0] ? " " : "", links,
			 device_start_duration_us(device) / 1000,
			 text[0] ? " (" : "", text, text[0] ? ")" : "");
	else
		snprintf(ret, size, "%s %s%s%s lost: %s",
			 device_address(device), device_driver(device),
			 links[0] ? " " : "", links, text);
}

/* What went wrong comes first: the line may be cut. */
static void describe(const struct engine *engine, char *detail, size_t size)
{
	char entry[512];

	detail[0] = '\0';
	for (int back = 0; back <= 1; back++) {
		for (size_t i = 0; i < engine->n_units; i++) {
			const struct unit *unit = &engine->units[i];
			bool is_back =
				device_state(unit->device) == DEVICE_BACK;

			if (is_back != (back == 1) ||
			    device_state(unit->device) == DEVICE_UP)
				continue;
			describe_unit(unit, entry, sizeof(entry));
			append_entry(detail, size, entry);
		}
		if (back == 0 && engine->problems[0] != '\0')
			append_entry(detail, size, engine->problems);
	}
	for (size_t i = 0; i < engine->inventory.n_functions; i++) {
		const struct pci_function *function =
			&engine->inventory.functions[i];

		if (!function->risk)
			continue;
		snprintf(entry, sizeof(entry), "%s %s kept: %s",
			 function->address, function->driver, function->reason);
		append_entry(detail, size, entry);
	}
}

static void end_up(struct engine *engine)
{
	char detail[PROTOCOL_DETAIL_MAX + 1];

	engine->limit = sd_event_source_disable_unref(engine->limit);
	engine->going_up = false;
	describe(engine, detail, sizeof(detail));
	engine->up_done(engine->userdata, engine->degraded, detail);
}

/* Undoes one effect. Returns 1 if the next has to wait for it. */
static int undo_one(struct engine *engine, size_t index)
{
	struct journal *journal = engine->setup.journal;
	const struct effect *effect = &journal->effects[index];
	char problem[512];
	int r = undoers[effect->kind].undo(engine, index);

	if (r == 1)
		return 1;
	if (r < 0) {
		snprintf(problem, sizeof(problem), "cannot undo %s %s: %s",
			 effect_kind_name(effect->kind), effect->text,
			 strerror(-r));
		add_problem(engine, problem);
	}
	/* A device says so itself, when it is back. */
	if (effect->kind != EFFECT_DEVICE || r < 0)
		journal_undone(journal, index);
	return 0;
}

static void undo_next(struct engine *engine)
{
	const struct journal *journal = engine->setup.journal;

	/* A device that comes back while another effect is undone. */
	if (!engine->going_up || engine->task || engine->manager_call)
		return;
	while (engine->cursor > 0) {
		const struct effect *effect =
			&journal->effects[engine->cursor - 1];

		if (!effect->undone && must_wait(engine, effect->kind))
			return;
		engine->cursor--;
		if (!effect->undone && undo_one(engine, engine->cursor) == 1)
			return;
	}
	if (!is_pending(engine))
		end_up(engine);
}

void engine_go_up(struct engine *engine, engine_up_fn done, void *userdata)
{
	interrupt(engine);
	engine->going_down = false;
	engine->going_up = true;
	engine->up_done = done;
	engine->userdata = userdata;
	engine->cursor = engine->setup.journal->n_effects;
	engine->cycle = engine->setup.journal->cycle;
	/* Without a timer nobody stays frozen: thaw at once. */
	engine->thaw_overdue =
		sd_event_add_time_relative(
			engine->setup.event, &engine->limit, CLOCK_MONOTONIC,
			engine->setup.settings->thaw_after_us, 0,
			on_thaw_overdue, engine) < 0;
	undo_next(engine);
}
