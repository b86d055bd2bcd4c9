/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_CONFIG_H
#define PMCOORD_MODEL_CONFIG_H

/* The configuration: pmcoord.conf and pmcoord.conf.d, see pmcoord.conf(5). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Effective values for one guest. */
struct guest_config {
	enum guest_policy policy;
	enum config_on_failure on_failure;
	uint64_t timeout_us;
};

/* One [Guest "pattern"] section; keys that it does not set are inherited. */
struct config_rule {
	char *pattern; /* fnmatch(3) */
	char *where; /* "file:line" of its first key */
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
	uint64_t ready_timeout_us; /* for agents to restore their devices */
	bool honour_inhibitors;
	bool vetoes_ignored; /* see config_without_vetoes */
	uint64_t keep_reports;
	struct config_rule *rules; /* in file order, the last match wins */
	size_t n_rules;
};

/* Sets the documented defaults, which apply without any file. */
void config_init(struct config *config);
/* Takes NULL. */
void config_done(struct config *config);

/* The values that apply to the guest of this name. */
struct guest_config config_for_guest(const struct config *config, const char *name);

/* Whether a section applies to the guest called `name`. */
bool config_rule_matches(const struct config_rule *rule, const char *name);

/*
 * A copy of `config` in which nothing keeps the host awake: no failed guest, no
 * deadline, no opened lid, no inhibitor. Borrows from `config`; do not release
 * it.
 */
struct config config_without_vetoes(const struct config *config);

/*
 * Reads the next name of a list such as SuspendBefore= and advances *list.
 * Returns its length, 0 at the end; *ret_name points into the list and is not
 * NUL-terminated.
 */
size_t config_next_name(const char **list, const char **ret_name);

/* The name of a value of a key; a list of these ends with a NULL name. */
struct config_choice {
	const char *name;
	int value;
};

/* In the order of enum guest_policy. */
extern const struct config_choice config_policies[];

const char *guest_policy_name(enum guest_policy policy);

#endif
