/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_MODULES_H
#define GUEST_AGENT_DEVICES_MODULES_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"
#include "devices/inventory.h"
#include "guest/settings.h"
#include "guest/task.h"

/* Kernel modules that are unloaded during the sleep, by modprobe(8). */

#define MODULE_NAME_MAX 64

struct module_list {
	char (*names)[MODULE_NAME_MAX];
	size_t n_names;
};

/*
 * What the settings want unloaded, and what the functions to be unloaded say,
 * in that order; left out are modules that are not loaded, and drivers of
 * functions that are kept. Returns 0 or negative errno.
 */
int module_list_make(struct module_list *ret, const struct roots *roots,
		     const struct settings *settings, const struct inventory *inventory);
void module_list_done(struct module_list *list);

struct module_run {
	const char *modprobe; /* the program */
	const char *name;
	bool load;
};

/* `run` must live until `done` was called; hook_describe() says how it went. */
int module_start(sd_event *event, struct module_run *run, uint64_t timeout_us, task_done_fn done,
		 void *userdata, struct task **ret);

#endif
