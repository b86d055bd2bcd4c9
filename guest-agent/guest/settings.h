/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_SETTINGS_H
#define GUEST_AGENT_GUEST_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"

/* The settings of agent.conf; pmcoord-agent.conf(5) describes each key. */

enum device_action {
	DEVICE_AUTO, /* inventory_read() (devices/inventory.h) decides */
	DEVICE_UNBIND, /* unbind the driver */
	DEVICE_KEEP, /* leave the driver bound */
	DEVICE_MODULE, /* unbind the driver, then unload its module */
	DEVICE_HOOK, /* leave the device to a hook in suspend.d */
};

/* A section [Device "PATTERN"]. The first section that matches a PCI function applies to it. */
struct device_rule {
	char *pattern;
	enum device_action action;
	char *modules; /* in the order of unloading; NULL: the driver's own module */
};

enum network_manager {
	NETWORK_MANAGER_AUTO,
	NETWORK_MANAGER_NO,
};

struct settings {
	uint64_t timeout_us;
	char **freeze; /* cgroups below /sys/fs/cgroup */
	size_t n_freeze;
	bool devices; /* Devices=auto; if false, only PCI functions with a rule are stopped */
	uint64_t unbind_timeout_us;
	uint64_t restore_timeout_us;
	uint64_t thaw_after_us;
	bool sync; /* write file systems to disk before the freeze */
	char **unload; /* modules, in the order of unloading */
	size_t n_unload;
	uint64_t hook_timeout_us;
	bool hook_failure_counts; /* HookFailure=fail */
	enum network_manager network_manager;
	bool honour_inhibitors;
	bool compact_memory;
	struct device_rule *rules;
	size_t n_rules;
};

/* Sets the defaults. Returns 0 or -ENOMEM; release `ret` with settings_done(). */
int settings_default(struct settings *ret);

/* settings_read: a value could not be taken, or the file could not be read */
#define SETTINGS_BAD 1

/*
 * Sets the defaults, then the settings in the file `path`. Calls `problem` for each value
 * that cannot be taken, whose default applies, and for each unknown key or section. A bad
 * Action= counts as keep. Calls it also if the file cannot be read: whatever the file is,
 * the agent must be able to restore. Returns 0 even if there is no such file; SETTINGS_BAD;
 * or -ENOMEM with `error` set. Release `ret` with settings_done() in any case.
 */
int settings_read(struct settings *ret, const char *path,
		  void (*problem)(void *data, const char *problem), void *data,
		  struct error *error);

/*
 * Returns the first rule that matches a PCI function's address, driver or "vendor:device";
 * NULL if none matches.
 */
const struct device_rule *settings_find_rule(const struct settings *settings, const char *address,
					     const char *driver, const char *identity);

void settings_done(struct settings *settings);

#endif
