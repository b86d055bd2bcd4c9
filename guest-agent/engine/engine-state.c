/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/engine-state.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/links.h"
#include "devices/device.h"
#include "devices/inventory.h"

int engine_new(const struct engine_setup *setup, struct engine **ret)
{
	struct engine *engine;

	assert(setup->event && setup->roots && setup->settings && setup->journal);
	assert(setup->device_ops && setup->claimed && ret);
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return -ENOMEM;
	engine->setup = *setup;
	engine->device_context = (struct device_context){
		.event = setup->event,
		.roots = setup->roots,
		.ops = setup->device_ops,
		.claimed = setup->claimed,
		.log = setup->log,
		.start_timeout_us = setup->settings->restore_timeout_us,
		.stuck_timeout_us = setup->settings->thaw_after_us,
		.compact_memory = setup->settings->compact_memory,
	};
	*ret = engine;
	return 0;
}

void engine_interrupt(struct engine *engine)
{
	engine->limit = sd_event_source_disable_unref(engine->limit);
	task_free(engine->task);
	engine->task = NULL;
	manager_call_free(engine->manager_call);
	engine->manager_call = NULL;
	freezer_wait_free(engine->freeze_wait);
	engine->freeze_wait = NULL;
}

void engine_reset(struct engine *engine)
{
	engine_interrupt(engine);
	for (size_t i = 0; i < engine->n_stopped; i++) {
		links_forget(engine->setup.roots, device_address(engine->stopped[i].device));
		device_free(engine->stopped[i].device);
	}
	free(engine->stopped);
	engine->stopped = NULL;
	engine->n_stopped = 0;
	free(engine->frozen);
	engine->frozen = NULL;
	engine->n_frozen = 0;
	hook_list_done(&engine->hooks);
	module_list_done(&engine->modules);
	inventory_done(&engine->inventory);
	engine->thaw_overdue = false;
	engine->degraded = false;
	engine->notes[0] = '\0';
}

void engine_note(struct engine *engine, const char *sentence)
{
	size_t used = strlen(engine->notes);

	assert(sentence);
	snprintf(engine->notes + used, sizeof(engine->notes) - used, "%s%s", used ? "; " : "",
		 sentence);
}

size_t engine_get_steps(const struct engine *engine, const struct engine_step **ret)
{
	*ret = engine->steps;
	return engine->step;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	engine_reset(engine);
	free(engine);
}

bool engine_has_pending_device(const struct engine *engine)
{
	for (size_t i = 0; i < engine->n_stopped; i++)
		if (engine->stopped[i].pending)
			return true;
	return false;
}

struct stopped_device *engine_find_stopped(struct engine *engine, const struct device *device)
{
	for (size_t i = 0; i < engine->n_stopped; i++)
		if (engine->stopped[i].device == device)
			return &engine->stopped[i];
	return NULL;
}

int engine_add_stopped(struct engine *engine, const char *address, const char *driver,
		       size_t effect, struct stopped_device **ret)
{
	struct stopped_device *stopped =
		realloc(engine->stopped, (engine->n_stopped + 1) * sizeof(*stopped));
	struct device *device;
	int r;

	if (!stopped)
		return -ENOMEM;
	engine->stopped = stopped;
	r = device_new(&engine->device_context, address, driver, &device);
	if (r < 0)
		return r;
	stopped[engine->n_stopped] = (struct stopped_device){ .device = device, .effect = effect };
	*ret = &stopped[engine->n_stopped++];
	return 0;
}

bool engine_describe_hook_failure(const struct engine *engine, const struct task_result *result,
				  char *ret, size_t size)
{
	char what[TASK_TEXT_MAX];

	if (!task_describe_failure(result, what, sizeof(what)))
		return false;
	snprintf(ret, size, "hook %s %s %s", engine->hook_run.name, engine->hook_run.verb, what);
	return true;
}

int engine_run_hook(struct engine *engine, const char *name, const char *verb, task_done_fn done)
{
	assert(!engine->task);
	engine->hook_run = (struct hook_run){
		.roots = engine->setup.roots,
		.name = name,
		.verb = verb,
		.cycle = engine->cycle,
	};
	return hook_start(engine->setup.event, &engine->hook_run,
			  engine->setup.settings->hook_timeout_us, done, engine, &engine->task);
}

int engine_run_modprobe(struct engine *engine, const char *name, bool load, uint64_t timeout_us,
			task_done_fn done)
{
	assert(!engine->task);
	engine->module_run = (struct module_run){
		.modprobe = engine->setup.device_ops->modprobe,
		.name = name,
		.load = load,
	};
	return module_start(engine->setup.event, &engine->module_run, timeout_us, done, engine,
			    &engine->task);
}
