/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restores the guest: undoes the changes in the guest ("effects") that the journal contains,
 * from the last to the first, even if the cycle failed or the agent died in it. undo_rules[]
 * says how each kind of effect is undone, and whether undoing it waits for the devices.
 * Devices are started without waiting for each other; all other effects are undone one at a
 * time.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pmcoord/enum-name.h"
#include "pmcoord/protocol.h"
#include "guest/files.h"
#include "guest/freezer.h"
#include "guest/log.h"
#include "guest/task.h"
#include "net/manager.h"
#include "devices/device.h"
#include "devices/inventory.h"
#include "engine/engine-state.h"
#include "engine/engine.h"
#include "engine/journal.h"

static void undo_next(struct engine *engine);

static void add_problem(struct engine *engine, const char *problem)
{
	engine->degraded = true;
	engine_note(engine, problem);
	log_line(engine->setup.log, LOG_LEVEL_WARNING, "%s", problem);
}

static void on_device_started(void *userdata, struct device *device, int r)
{
	struct engine *engine = userdata;
	struct stopped_device *stopped = engine_find_stopped(engine, device);

	stopped->pending = false;
	journal_undone(engine->setup.journal, stopped->effect);
	if (r < 0 || device_text(device)[0] != '\0')
		engine->degraded = true;
	log_line(engine->setup.log, r < 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		 "device %s %s: %s%s%s", device_address(device), device_driver(device),
		 r < 0 ? "lost" : "restored", device_text(device)[0] ? ": " : "",
		 device_text(device));
	undo_next(engine);
}

/*
 * Finds the device of an effect, or adds the device if an earlier agent process has
 * recorded the effect. Returns 0 or negative errno.
 */
static int get_stopped(struct engine *engine, size_t effect, struct stopped_device **ret)
{
	char address[EFFECT_TEXT_MAX], *driver;

	for (size_t i = 0; i < engine->n_stopped; i++) {
		if (engine->stopped[i].effect == effect) {
			*ret = &engine->stopped[i];
			return 0;
		}
	}
	strcpy(address, engine->setup.journal->effects[effect].text);
	driver = strchr(address, ' ');
	if (!driver)
		return -EBADMSG;
	*driver = '\0';
	return engine_add_stopped(engine, address, driver + 1, effect, ret);
}

/*
 * ---- Undoing ----
 *
 * Each of these functions undoes effect `index` of the journal. Returns 0 if the next
 * effect can be undone now, 1 if the next effect must wait until effect_undone() is
 * called, or negative errno.
 */

static int undo_device(struct engine *engine, size_t index)
{
	struct stopped_device *stopped;
	int r = get_stopped(engine, index, &stopped);

	if (r < 0)
		return r;
	stopped->pending = true;
	r = device_start(stopped->device, on_device_started, engine);
	if (r < 0)
		stopped->pending = false;
	return r;
}

static int undo_freeze(struct engine *engine, size_t index)
{
	int r = freezer_set(engine->setup.roots, engine->setup.journal->effects[index].text, false);

	return r == -ENOENT ? 0 : r;
}

static int undo_freeze_timeout(struct engine *engine, size_t index)
{
	int r = file_write_at(engine->setup.journal->effects[index].text,
			      "%s/power/pm_freeze_timeout", engine->setup.roots->sys);

	return r == -ENOENT ? 0 : r;
}

static void effect_undone(struct engine *engine, const char *problem);

static void on_post_hook(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	char failure[400];

	task_free(engine->task);
	engine->task = NULL;
	effect_undone(engine, engine_describe_hook_failure(engine, result, failure, sizeof(failure))
				      ? failure
				      : NULL);
}

static int undo_hook(struct engine *engine, size_t index)
{
	int r = engine_run_hook(engine, engine->setup.journal->effects[index].text, "post",
				on_post_hook);

	return r < 0 ? r : 1;
}

/*
 * Continues after an effect whose undo returned 1. `problem` says what failed, or is NULL
 * if the effect was undone.
 */
static void effect_undone(struct engine *engine, const char *problem)
{
	if (problem)
		add_problem(engine, problem);
	journal_undone(engine->setup.journal, engine->cursor);
	undo_next(engine);
}

static void on_module_loaded(void *userdata, const struct task_result *result)
{
	struct engine *engine = userdata;
	char what[TASK_TEXT_MAX], problem[400];
	bool failed;

	task_free(engine->task);
	engine->task = NULL;
	failed = task_describe_failure(result, what, sizeof(what)) != NULL;
	snprintf(problem, sizeof(problem), "loading module %s %s", engine->module_run.name,
		 failed ? what : "");
	effect_undone(engine, failed ? problem : NULL);
}

static int undo_module(struct engine *engine, size_t index)
{
	int r = engine_run_modprobe(engine, engine->setup.journal->effects[index].text, true,
				    engine->setup.settings->restore_timeout_us, on_module_loaded);

	return r < 0 ? r : 1;
}

static void on_manager_resumed(void *userdata, int r, const char *text)
{
	struct engine *engine = userdata;
	char problem[400];

	manager_call_free(engine->manager_call);
	engine->manager_call = NULL;
	snprintf(problem, sizeof(problem), "NetworkManager did not resume: %s",
		 text[0] ? text : strerror(-r));
	/* NetworkManager answers "Already awake" if it was not asleep. This is not a failure. */
	effect_undone(engine, r < 0 && r != -EALREADY && r != -EEXIST && !strstr(text, "lready")
				      ? problem
				      : NULL);
}

/* A failed renewal does not degrade the cycle, because not every link has a DHCP lease. */
static void on_leases_renewed(void *userdata, int r, const char *text)
{
	struct engine *engine = userdata;

	manager_call_free(engine->manager_call);
	engine->manager_call = NULL;
	if (r < 0)
		log_line(engine->setup.log, LOG_LEVEL_NOTICE,
			 "systemd-networkd did not renew all leases: %s, ignoring",
			 text[0] ? text : strerror(-r));
	effect_undone(engine, NULL);
}

static int undo_manager(struct engine *engine, size_t index)
{
	const char *name = engine->setup.journal->effects[index].text;
	bool networkd = strcmp(name, manager_name(MANAGER_NETWORKD)) == 0;
	int r = manager_call_start(
		engine->setup.event, engine->setup.roots,
		networkd ? MANAGER_NETWORKD : MANAGER_NETWORK_MANAGER, false, MANAGER_TIMEOUT_US,
		networkd ? on_leases_renewed : on_manager_resumed, engine, &engine->manager_call);

	return r < 0 ? r : r == 0;
}

static const struct {
	int (*undo)(struct engine *engine, size_t index);
	bool after_devices; /* undone only after every device is restored or lost */
	bool until_thaw_limit; /* waits for devices only until ThawAfter= has passed */
} undo_rules[] = {
	[EFFECT_HOOK] = { undo_hook, true, false },
	[EFFECT_MANAGER] = { undo_manager, true, false },
	[EFFECT_FREEZE] = { undo_freeze, true, true },
	[EFFECT_DEVICE] = { undo_device, false, false },
	[EFFECT_MODULE] = { undo_module, false, false },
	[EFFECT_FREEZE_TIMEOUT] = { undo_freeze_timeout, false, false },
};
ENUM_COMPLETE(undo_rules, EFFECT_FREEZE_TIMEOUT);

static int on_thaw_overdue(sd_event_source *source, uint64_t usec, void *userdata)
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
	return undo_rules[kind].after_devices && engine_has_pending_device(engine) &&
	       !(undo_rules[kind].until_thaw_limit && engine->thaw_overdue);
}

static void append_entry(char *detail, size_t size, const char *entry)
{
	size_t used = strlen(detail);

	snprintf(detail + used, size - used, "%s%s", used ? "; " : "", entry);
}

/* Describes a device, e.g. "0000:00:04.0 e1000e enp0s0 ok 1.83 s". */
static void describe_device(const struct stopped_device *stopped, char *ret, size_t size)
{
	const struct device *device = stopped->device;
	const char *links = device_links(device);
	const char *text = device_text(device);
	char duration[LOG_DURATION_MAX];

	if (device_state(device) == DEVICE_RESTORED)
		snprintf(ret, size, "%s %s%s%s ok %s%s%s%s", device_address(device),
			 device_driver(device), links[0] ? " " : "", links,
			 log_format_duration(device_start_duration_us(device), duration),
			 text[0] ? " (" : "", text, text[0] ? ")" : "");
	else
		snprintf(ret, size, "%s %s%s%s lost: %s", device_address(device),
			 device_driver(device), links[0] ? " " : "", links, text);
}

static void append_kept(const struct inventory *inventory, char *detail, size_t size)
{
	char entry[512];

	for (size_t i = 0; i < inventory->n_functions; i++) {
		const struct pci_function *function = &inventory->functions[i];

		if (!function->risk)
			continue;
		snprintf(entry, sizeof(entry), "%s %s kept: %s", function->address,
			 function->driver, function->reason);
		append_entry(detail, size, entry);
	}
}

/*
 * Lists the PCI functions and appends those that are kept although they may not work after
 * the sleep. If the functions cannot be listed, nothing is appended; the next cycle lists
 * them again.
 */
static void append_kept_now(const struct engine *engine, char *detail, size_t size)
{
	struct inventory inventory = { 0 };

	if (inventory_read(&inventory, engine->setup.roots, engine->setup.settings,
			   engine->setup.claimed) == 0)
		append_kept(&inventory, detail, size);
	inventory_done(&inventory);
}

void engine_describe_kept(const struct engine *engine, char *ret, size_t size)
{
	assert(size > 0);
	ret[0] = '\0';
	append_kept_now(engine, ret, size);
}

/*
 * Writes the detail of the cycle. Lost devices and notes come before restored devices,
 * because the end of a long line is cut off.
 */
static void describe_cycle(const struct engine *engine, char *detail, size_t size)
{
	char entry[512];

	detail[0] = '\0';
	for (int restored = 0; restored <= 1; restored++) {
		for (size_t i = 0; i < engine->n_stopped; i++) {
			enum device_state state = device_state(engine->stopped[i].device);

			if (state == DEVICE_UP || (state == DEVICE_RESTORED) != (restored == 1))
				continue;
			describe_device(&engine->stopped[i], entry, sizeof(entry));
			append_entry(detail, size, entry);
		}
		if (restored == 0 && engine->notes[0] != '\0')
			append_entry(detail, size, engine->notes);
	}
	/*
	 * engine->inventory is empty if quiescing had nothing to stop or unload. In that case
	 * list the PCI functions now.
	 */
	if (engine->inventory.n_functions > 0)
		append_kept(&engine->inventory, detail, size);
	else
		append_kept_now(engine, detail, size);
}

static void end_restore(struct engine *engine)
{
	char detail[PROTOCOL_DETAIL_MAX + 1];

	engine->limit = sd_event_source_disable_unref(engine->limit);
	engine->restoring = false;
	describe_cycle(engine, detail, sizeof(detail));
	engine->on_restored(engine->userdata, engine->degraded, detail);
}

/* Undoes one effect. Returns 1 if the next effect must wait until this one is undone, else 0. */
static int undo_one(struct engine *engine, size_t index)
{
	struct journal *journal = engine->setup.journal;
	const struct effect *effect = &journal->effects[index];
	char problem[512];
	int r = undo_rules[effect->kind].undo(engine, index);

	if (r == 1)
		return 1;
	if (r < 0) {
		snprintf(problem, sizeof(problem), "cannot undo %s %s: %s",
			 effect_kind_name(effect->kind), effect->text, strerror(-r));
		add_problem(engine, problem);
	}
	/* on_device_started() records that the effect of a device is undone. */
	if (effect->kind != EFFECT_DEVICE || r < 0)
		journal_undone(journal, index);
	return 0;
}

static void undo_next(struct engine *engine)
{
	const struct journal *journal = engine->setup.journal;

	/* If another effect is still being undone, its callback calls this function again. */
	if (!engine->restoring || engine->task || engine->manager_call)
		return;
	while (engine->cursor > 0) {
		const struct effect *effect = &journal->effects[engine->cursor - 1];

		if (!effect->undone && must_wait(engine, effect->kind))
			return;
		engine->cursor--;
		if (!effect->undone && undo_one(engine, engine->cursor) == 1)
			return;
	}
	if (!engine_has_pending_device(engine))
		end_restore(engine);
}

void engine_restore(struct engine *engine, engine_restored_fn done, void *userdata)
{
	assert(done && !engine->restoring);
	engine_interrupt(engine);
	engine->quiescing = false;
	engine->restoring = true;
	engine->on_restored = done;
	engine->userdata = userdata;
	engine->cursor = engine->setup.journal->n_effects;
	engine->cycle = engine->setup.journal->cycle;
	/* If the timer cannot be set, processes are thawed without waiting for devices. */
	engine->thaw_overdue =
		sd_event_add_time_relative(engine->setup.event, &engine->limit, CLOCK_MONOTONIC,
					   engine->setup.settings->thaw_after_us, 0,
					   on_thaw_overdue, engine) < 0;
	undo_next(engine);
}
