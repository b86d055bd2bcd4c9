/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_CONFIG_H
#define PMCOORD_MODEL_CONFIG_H

/* The configuration: pmcoord.conf and pmcoord.conf.d, see pmcoord.conf(5). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/string-list.h"

enum config_on_failure {
	ON_FAILURE_PAUSE,
	ON_FAILURE_ABORT,
};

enum config_resume_after {
	RESUME_AFTER_RUNNING,
	RESUME_AFTER_READY,
};

enum guest_policy {
	POLICY_SUSPEND,
	POLICY_PAUSE,
	POLICY_IGNORE,
};

/* The values that apply to one guest. */
struct guest_config {
	enum guest_policy policy;
	enum config_on_failure on_failure;
	uint64_t timeout_us;
};

/*
 * One [Guest "pattern"] section. A key that the section does not set keeps the value
 * of an earlier matching section or of struct config.
 */
struct config_rule {
	char *pattern; /* fnmatch(3) */
	char *where; /* "file:line" of the section's first key */
	char *suspend_before; /* guest names, space separated; may be NULL */
	bool has_policy, has_on_failure, has_timeout;
	enum guest_policy policy;
	enum config_on_failure on_failure;
	uint64_t timeout_us;
};

struct config {
	uint64_t deadline_us;
	enum config_on_failure on_deadline;
	uint64_t guest_timeout_us;
	enum config_on_failure on_failure;
	bool abort_on_lid_open;
	enum config_resume_after resume_after;
	uint64_t ready_timeout_us; /* how long agents may take to restore their devices */
	bool honour_inhibitors;
	bool vetoes_ignored; /* OnFailure=abort has no effect, see config_without_vetoes */
	uint64_t keep_reports;
	uint64_t low_battery_percent; /* from here on nothing vetoes a sleep */
	struct config_rule *rules; /* in file order: the last section that sets a key wins */
	size_t n_rules;
	/*
	 * The values that could not be taken, and why: "file:line: key: problem". They
	 * apply to nothing else, and each cycle is degraded and reports them.
	 */
	struct string_list problems;
};

/* Sets the documented defaults, which apply without any file. */
void config_init(struct config *config);

/* Frees the rules and problems. `config` may be NULL. */
void config_done(struct config *config);

/* Returns the values that apply to the guest called `name`. */
struct guest_config config_for_guest(const struct config *config, const char *name);

/* Whether a section applies to the guest called `name`. */
bool config_rule_matches(const struct config_rule *rule, const char *name);

/*
 * Returns a copy of `config`. With the copy, no failed guest, deadline, opened lid
 * or inhibitor keeps the host awake. The copy borrows the rules and problems of `config`,
 * so it must not be passed to config_done.
 */
struct config config_without_vetoes(const struct config *config);

/*
 * Reads the next name of a list such as SuspendBefore= and advances *list.
 * Returns the length of the name, or 0 at the end of the list. *ret_name points into
 * the list and is not NUL-terminated.
 */
size_t config_next_name(const char **list, const char **ret_name);

/* A value of a key and its name in the file. An array of choices ends with a NULL name. */
struct config_choice {
	const char *name;
	int value;
};

/* The values of Policy=, in the order of enum guest_policy. */
extern const struct config_choice config_policies[];

const char *guest_policy_name(enum guest_policy policy);

#endif
