/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_MODULES_H
#define GUEST_AGENT_DEVICES_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"
#include "guest/settings.h"
#include "guest/task.h"
#include "devices/inventory.h"

/* Unloads kernel modules for the time of a suspend and loads them again, by modprobe(8). */

/* The size of a module's name, with its NUL; a module with a longer name is left out. */
#define MODULE_NAME_MAX 64

struct module_list {
	char (*names)[MODULE_NAME_MAX];
	size_t n_names;
};

/*
 * Lists the modules to unload: first those of UnloadModules=, then those of each PCI function
 * with Action=module. The modules of a PCI function are those of Modules= in its rule; without
 * Modules=, the module of its driver. Modules that are not loaded, or that contain the driver
 * of a kept PCI function, are left out. Returns 0 or negative errno; release `ret` with
 * module_list_done().
 */
int module_list_make(struct module_list *ret, const struct roots *roots,
		     const struct settings *settings, const struct inventory *inventory);
void module_list_done(struct module_list *list);

/* One call of modprobe. */
struct module_run {
	const char *modprobe; /* path of the program */
	const char *name; /* of the module */
	bool load; /* false: unload */
};

/*
 * Starts modprobe; `run` must outlive the task. Returns 0 or negative errno. `done` gets the
 * result of modprobe, see task_describe_failure().
 */
int module_start(sd_event *event, struct module_run *run, uint64_t timeout_us, task_done_fn done,
		 void *userdata, struct task **ret);

#endif
