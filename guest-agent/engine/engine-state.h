/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_ENGINE_STATE_H
#define GUEST_AGENT_ENGINE_ENGINE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/freezer.h"
#include "guest/task.h"
#include "net/manager.h"
#include "devices/device.h"
#include "devices/inventory.h"
#include "devices/modules.h"
#include "engine/engine.h"
#include "engine/hooks.h"

/*
 * The engine's state, and the functions that quiesce.c and restore.c share. An effect is a
 * change in the guest that the journal records (journal.h). Not for use outside of the engine.
 */

/* The time limit of a call to a network manager, which answers within milliseconds or hangs. */
#define MANAGER_TIMEOUT_US 2000000ull

/* The maximum number of entries in quiesce_steps[], checked at compile time. */
#define ENGINE_STEPS_MAX 16

/* A device that this cycle stops and starts. */
struct stopped_device {
	struct device *device;
	size_t effect; /* the index of its effect in the journal */
	bool pending; /* is being stopped or started */
};

struct engine {
	struct engine_setup setup;
	struct device_context device_context;
	sd_event_source *limit; /* the time limit of quiescing; while restoring, ThawAfter= */
	uint64_t cycle;
	uint64_t deadline_us; /* when the guest must be suspended, by clock_now_us() */
	size_t step; /* the index of the current step */
	struct engine_step steps[ENGINE_STEPS_MAX]; /* the first `step` entries are complete */
	uint64_t step_start_us;
	bool quiescing;
	bool restoring;
	engine_quiesced_fn on_quiesced;
	engine_restored_fn on_restored;
	void *userdata; /* for on_quiesced() and on_restored() */
	engine_honours_fn honours_inhibitors; /* NULL: inhibitors are always honoured */
	void *honours_userdata;

	struct hook_list hooks;
	size_t next_hook;
	struct hook_run hook_run;
	struct task *task;
	struct manager_call *manager_call;

	struct inventory inventory;
	struct module_list modules;
	size_t next_module;
	struct module_run module_run;
	struct stopped_device *stopped;
	size_t n_stopped;

	const char **frozen;
	size_t n_frozen;
	struct freezer_wait *freeze_wait;

	size_t cursor; /* effects with a lower index must still be undone */
	bool thaw_overdue; /* ThawAfter= has passed */
	bool degraded;
	char notes[512]; /* sentences for the detail that on_restored() gets */
};

/*
 * Cancels what is running: the timer, the child process of engine->task, the D-Bus call,
 * and the wait until the cgroups are frozen. The child processes of devices continue.
 */
void engine_interrupt(struct engine *engine);

/* Interrupts the engine and releases all that belongs to the last cycle. */
void engine_reset(struct engine *engine);

/* Appends a sentence to engine->notes. */
void engine_note(struct engine *engine, const char *sentence);

/* Whether a device is being stopped or started. */
bool engine_has_pending_device(const struct engine *engine);

/* Returns the entry of `device` in engine->stopped, or NULL. */
struct stopped_device *engine_find_stopped(struct engine *engine, const struct device *device);

/*
 * Adds a device to engine->stopped; `effect` is the index of its effect in the journal.
 * Returns 0 or negative errno.
 */
int engine_add_stopped(struct engine *engine, const char *address, const char *driver,
		       size_t effect, struct stopped_device **ret);

/*
 * Starts the hook `name` as engine->task, which must be NULL. `verb` is "pre" or "post".
 * `name` must outlive the task. Returns 0 or negative errno.
 */
int engine_run_hook(struct engine *engine, const char *name, const char *verb, task_done_fn done);

/*
 * Starts modprobe for the module `name` as engine->task, which must be NULL. `load` is false
 * to unload the module. `name` must outlive the task. Returns 0 or negative errno.
 */
int engine_run_modprobe(struct engine *engine, const char *name, bool load, uint64_t timeout_us,
			task_done_fn done);

/*
 * Describes in `ret` how the hook of engine_run_hook() failed. Returns false if the hook
 * succeeded.
 */
bool engine_describe_hook_failure(const struct engine *engine, const struct task_result *result,
				  char *ret, size_t size);

#endif
