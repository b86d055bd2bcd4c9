/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/modules.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"

/*
 * Writes a module's name as sysfs lists it, with underscores instead of dashes, to `ret`.
 * modprobe(8) accepts both spellings.
 */
static void format_listed(char *ret, const char *name)
{
	snprintf(ret, MODULE_NAME_MAX, "%s", name);
	for (char *dash = ret; (dash = strchr(dash, '-'));)
		*dash = '_';
}

static bool is_loaded(const struct roots *roots, const char *name)
{
	char listed[MODULE_NAME_MAX];

	format_listed(listed, name);
	return file_exists("%s/module/%s", roots->sys, listed);
}

/*
 * Whether module `name` contains the driver of a PCI function with the action DEVICE_KEEP.
 * The kernel does not always refuse to unload this module: it does not count disks of NVMe
 * multipath as users of their controller's driver.
 */
static bool is_kept(const struct roots *roots, const struct inventory *inventory, const char *name)
{
	char listed[MODULE_NAME_MAX], of_driver[MODULE_NAME_MAX];

	format_listed(listed, name);
	for (size_t i = 0; i < inventory->n_functions; i++) {
		const struct pci_function *function = &inventory->functions[i];

		if (function->action == DEVICE_KEEP &&
		    file_link_name(of_driver, sizeof(of_driver), "%s/bus/pci/drivers/%s/module",
				   roots->sys, function->driver) == 0 &&
		    strcmp(of_driver, listed) == 0)
			return true;
	}
	return false;
}

static bool has_name(const struct module_list *list, const char *name)
{
	for (size_t i = 0; i < list->n_names; i++)
		if (strcmp(list->names[i], name) == 0)
			return true;
	return false;
}

static int add_name(struct module_list *list, const struct roots *roots,
		    const struct inventory *inventory, const char *name)
{
	char(*names)[MODULE_NAME_MAX];

	if (strlen(name) >= MODULE_NAME_MAX || !is_loaded(roots, name) ||
	    is_kept(roots, inventory, name) || has_name(list, name))
		return 0;
	names = realloc(list->names, (list->n_names + 1) * sizeof(*names));
	if (!names)
		return -ENOMEM;
	strcpy(names[list->n_names++], name);
	list->names = names;
	return 0;
}

/* Adds the modules of a function: those in its rule, or else the module of its driver. */
static int add_of_function(struct module_list *list, const struct roots *roots,
			   const struct inventory *inventory, const struct pci_function *function)
{
	_cleanup_(freep) char *copy = NULL;
	char name[MODULE_NAME_MAX], *rest = NULL;
	int r = 0;

	if (!function->rule || !function->rule->modules) {
		r = file_link_name(name, sizeof(name), "%s/bus/pci/drivers/%s/module", roots->sys,
				   function->driver);
		/* A driver that is built into the kernel has no module. */
		return r < 0 ? 0 : add_name(list, roots, inventory, name);
	}
	copy = strdup(function->rule->modules);
	if (!copy)
		return -ENOMEM;
	for (char *word = strtok_r(copy, " \t,", &rest); r == 0 && word;
	     word = strtok_r(NULL, " \t,", &rest))
		r = add_name(list, roots, inventory, word);
	return r;
}

int module_list_make(struct module_list *ret, const struct roots *roots,
		     const struct settings *settings, const struct inventory *inventory)
{
	int r = 0;

	assert(ret && roots && settings && inventory);
	*ret = (struct module_list){ 0 };
	for (size_t i = 0; r == 0 && i < settings->n_unload; i++)
		r = add_name(ret, roots, inventory, settings->unload[i]);
	for (size_t i = 0; r == 0 && i < inventory->n_functions; i++)
		if (inventory->functions[i].action == DEVICE_MODULE)
			r = add_of_function(ret, roots, inventory, &inventory->functions[i]);
	if (r < 0)
		module_list_done(ret);
	return r;
}

void module_list_done(struct module_list *list)
{
	free(list->names);
	*list = (struct module_list){ 0 };
}

static void module_body(void *data, struct task_report *report)
{
	const struct module_run *run = data;

	if (run->load)
		execl(run->modprobe, "modprobe", "--", run->name, (char *)NULL);
	else
		execl(run->modprobe, "modprobe", "-r", "--", run->name, (char *)NULL);
	report->r = -errno;
	snprintf(report->text, sizeof(report->text), "failed: cannot run %s: %s", run->modprobe,
		 strerror(errno));
}

int module_start(sd_event *event, struct module_run *run, uint64_t timeout_us, task_done_fn done,
		 void *userdata, struct task **ret)
{
	struct task_spec spec = {
		.name = "modprobe",
		.body = module_body,
		.data = run,
		.timeout_us = timeout_us,
		.done = done,
		.userdata = userdata,
	};

	assert(run->modprobe && run->name);
	return task_start(event, &spec, ret);
}
