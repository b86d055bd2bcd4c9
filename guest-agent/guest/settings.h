/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_SETTINGS_H
#define GUEST_AGENT_GUEST_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"

/* agent.conf; pmcoord-agent.conf(5) describes each key. */

enum device_action {
	DEVICE_AUTO, /* the rule of inventory.h decides */
	DEVICE_UNBIND,
	DEVICE_KEEP,
	DEVICE_MODULE, /* unbound, and its driver's module unloaded */
	DEVICE_HOOK, /* a hook in suspend.d takes care of it */
};

/* [Device "PATTERN"]: the first that matches counts. */
struct device_rule {
	char *pattern;
	enum device_action action;
	char *modules; /* in the order of unloading; NULL: the driver's own */
};

enum network_manager {
	NETWORK_MANAGER_AUTO,
	NETWORK_MANAGER_NO,
};

struct settings {
	uint64_t timeout_us;
	char **freeze; /* cgroups below /sys/fs/cgroup */
	size_t n_freeze;
	bool devices; /* Devices=auto; false: only those with a rule */
	uint64_t unbind_timeout_us;
	uint64_t restore_timeout_us;
	uint64_t thaw_after_us;
	bool sync; /* file systems, before anything is frozen */
	char **unload; /* modules, in the order of unloading */
	size_t n_unload;
	uint64_t hook_timeout_us;
	bool hook_failure_counts;
	enum network_manager network_manager;
	bool honour_inhibitors;
	bool compact_memory;
	struct device_rule *rules;
	size_t n_rules;
};

/* What holds where no file says otherwise. Returns 0 or -ENOMEM. */
int settings_default(struct settings *ret);

/*
 * Reads `path` over the defaults. Unknown keys and sections are told to
 * `problem` and otherwise ignored, bad values are told too. Returns 0 (also if
 * there is no such file), -EBADMSG if a value was bad, or negative errno. On
 * failure `ret` is to be released as well.
 */
int settings_read(struct settings *ret, const char *path,
		  void (*problem)(void *data, const char *problem), void *data,
		  struct error *error);

/* The rule for a function: by address, driver or "vendor:device". Or NULL. */
const struct device_rule *settings_find_rule(const struct settings *settings, const char *address,
					     const char *driver, const char *identity);

void settings_done(struct settings *settings);

#endif
