/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/config-file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/ini-file.h"
#include "pmcoord/parse.h"
#include "base/string-list.h"

/*
 * The longest time span that is accepted. Nobody waits longer for a host to
 * sleep. The limit also keeps sums of deadlines far from an overflow.
 */
#define DURATION_MAX_US (3600ull * 1000000)

static const struct config_choice pause_or_abort[] = {
	{ "pause", ON_FAILURE_PAUSE },
	{ "abort", ON_FAILURE_ABORT },
	{ NULL, 0 },
};

static const struct config_choice running_or_ready[] = {
	{ "running", RESUME_AFTER_RUNNING },
	{ "ready", RESUME_AFTER_READY },
	{ NULL, 0 },
};

static int take_choice(const struct config_choice *choices, const char *value, int *ret,
		       struct error *error)
{
	char expected[64] = "";

	for (; choices->name; choices++) {
		if (strcmp(value, choices->name) == 0) {
			*ret = choices->value;
			return 0;
		}
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%s%s",
			 expected[0] ? ", " : "", choices->name);
	}
	return error_set(error, -EINVAL, "'%s' is not one of: %s", value, expected);
}

static int take_duration(const char *value, uint64_t *ret, struct error *error)
{
	uint64_t us;
	int r = parse_duration(value, &us);

	if (r == -EINVAL)
		return error_set(error, r, "'%s' is not a time span such as 30s or 500ms", value);
	if (r < 0 || us == 0 || us > DURATION_MAX_US)
		return error_set(error, -ERANGE, "'%s' is not between 1us and 1h", value);
	*ret = us;
	return 0;
}

static int take_boolean(const char *value, bool *ret, struct error *error)
{
	if (parse_boolean(value, ret) < 0)
		return error_set(error, -EINVAL, "'%s' is neither yes nor no", value);
	return 0;
}

static int take_count(const char *value, uint64_t *ret, struct error *error)
{
	if (parse_u64(value, 1000000, ret) < 0)
		return error_set(error, -EINVAL, "'%s' is not a number up to 1000000", value);
	return 0;
}

/* A number with or without a percent sign. */
static int take_percent(const char *value, uint64_t *ret, struct error *error)
{
	char number[8] = "";
	size_t length = strlen(value);

	length -= length > 0 && value[length - 1] == '%';
	if (length < sizeof(number))
		memcpy(number, value, length);
	if (parse_u64(number, 100, ret) < 0)
		return error_set(error, -EINVAL, "'%s' is not a percentage such as 5%%", value);
	return 0;
}

/*
 * The maximum number of sections and of reported problems. A file of garbage may have
 * any number.
 */
#define RULES_MAX 4096
#define PROBLEMS_MAX 20

struct loader {
	struct config *config;
	config_warning_fn warn;
	void *data;
	size_t n_unreported; /* problems of this file beyond PROBLEMS_MAX */
	bool out_of_memory;
};

static void add_problem(void *data, const char *problem)
{
	struct loader *loader = data;
	struct string_list *problems = &loader->config->problems;

	if (problems->n >= PROBLEMS_MAX) {
		loader->n_unreported++;
		return;
	}
	loader->warn(loader->data, true, problem);
	loader->out_of_memory |= string_list_add(problems, problem, strlen(problem)) < 0;
}

static void warn_at(struct loader *loader, const struct ini_position *position, const char *what,
		    const char *name)
{
	char raw[512], text[512];

	snprintf(raw, sizeof(raw), "%s:%u: ignoring unknown %s '%s'", position->file,
		 position->line, what, name);
	text_sanitize(raw, strlen(raw), text, sizeof(text));
	loader->warn(loader->data, false, text);
}

static int take_coordinator_key(struct loader *loader, const struct ini_position *position,
				const char *key, const char *value, struct error *error)
{
	struct config *config = loader->config;
	const struct {
		const char *key;
		uint64_t *duration;
		const struct config_choice *choices;
		int *choice;
		bool *boolean;
		uint64_t *count;
		uint64_t *percent;
	} keys[] = {
		{ "Deadline", .duration = &config->deadline_us },
		{ "GuestTimeout", .duration = &config->guest_timeout_us },
		{ "ReadyTimeout", .duration = &config->ready_timeout_us },
		{ "OnDeadline", .choices = pause_or_abort, .choice = (int *)&config->on_deadline },
		{ "OnFailure", .choices = pause_or_abort, .choice = (int *)&config->on_failure },
		{ "ResumeAfter", .choices = running_or_ready,
		  .choice = (int *)&config->resume_after },
		{ "AbortOnLidOpen", .boolean = &config->abort_on_lid_open },
		{ "HonourInhibitors", .boolean = &config->honour_inhibitors },
		{ "KeepReports", .count = &config->keep_reports },
		{ "LowBattery", .percent = &config->low_battery_percent },
	};

	for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
		if (strcmp(key, keys[i].key) != 0)
			continue;
		if (keys[i].duration)
			return take_duration(value, keys[i].duration, error);
		if (keys[i].choices)
			return take_choice(keys[i].choices, value, keys[i].choice, error);
		if (keys[i].boolean)
			return take_boolean(value, keys[i].boolean, error);
		if (keys[i].percent)
			return take_percent(value, keys[i].percent, error);
		return take_count(value, keys[i].count, error);
	}
	warn_at(loader, position, "key", key);
	return 0;
}

/*
 * Sets SuspendBefore= of a rule. The value replaces the values of all earlier
 * rules with the same pattern; an empty value only removes them.
 */
static int set_suspend_before(struct config *config, struct config_rule *rule, const char *value,
			      struct error *error)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		if (strcmp(config->rules[i].pattern, rule->pattern) != 0)
			continue;
		free(config->rules[i].suspend_before);
		config->rules[i].suspend_before = NULL;
	}
	rule->suspend_before = strdup(value);
	return rule->suspend_before ? 0 : error_set(error, -ENOMEM, "out of memory");
}

/*
 * A bad policy counts as pause: its guest is neither left running, nor asked for what
 * its owner may have excluded.
 */
static int take_policy(struct config_rule *rule, const char *value, struct error *error)
{
	struct error problem = { 0 };
	int policy = POLICY_PAUSE;
	int r = take_choice(config_policies, value, &policy, &problem);

	rule->policy = (enum guest_policy)policy;
	rule->has_policy = true;
	return r < 0 ? error_set(error, r, "%s; it counts as pause", error_text(&problem)) : 0;
}

static int take_guest_key(struct loader *loader, struct config_rule *rule,
			  const struct ini_position *position, const char *key, const char *value,
			  struct error *error)
{
	int choice, r = 0;

	if (strcmp(key, "Policy") == 0) {
		r = take_policy(rule, value, error);
	} else if (strcmp(key, "OnFailure") == 0) {
		r = take_choice(pause_or_abort, value, &choice, error);
		if (r == 0)
			rule->on_failure = (enum config_on_failure)choice;
		rule->has_on_failure |= r == 0;
	} else if (strcmp(key, "Timeout") == 0) {
		r = take_duration(value, &rule->timeout_us, error);
		rule->has_timeout |= r == 0;
	} else if (strcmp(key, "SuspendBefore") == 0) {
		r = set_suspend_before(loader->config, rule, value, error);
	} else {
		warn_at(loader, position, "key", key);
	}
	return r;
}

/*
 * Returns the last rule if it has this pattern, otherwise appends a new rule.
 * Rules stay in the order of the sections, because the last rule that matches a
 * guest wins. Returns NULL when out of memory.
 */
static struct config_rule *rule_for_pattern(struct config *config, const char *pattern,
					    const struct ini_position *position)
{
	struct config_rule *rules = config->rules;
	size_t n = config->n_rules;
	char *copy, *where;

	if (n > 0 && strcmp(rules[n - 1].pattern, pattern) == 0)
		return &rules[n - 1];
	if (asprintf(&where, "%s:%u", position->file, position->line) < 0)
		return NULL;
	copy = strdup(pattern);
	rules = reallocarray(rules, n + 1, sizeof(*rules));
	if (rules)
		config->rules = rules;
	if (!copy || !rules) {
		free(copy);
		free(where);
		return NULL;
	}
	rules[n] = (struct config_rule){ .pattern = copy, .where = where };
	config->n_rules++;
	return &rules[n];
}

/*
 * Finds NAME in a section of the form: Guest "NAME". Returns a copy of it, which the
 * caller frees. Returns NULL with `error` set if the section does not have this form.
 */
static char *guest_pattern(const char *section, struct error *error)
{
	const char *start = section + strlen("Guest");
	char *copy;
	size_t length;

	start += strspn(start, " \t");
	length = start[0] == '"' ? strcspn(start + 1, "\"") : 0;
	if (length == 0 || strcmp(start + 1 + length, "\"") != 0) {
		error_set(
			error, -EINVAL,
			"the section is not of the form [Guest \"name\"], so its keys are ignored");
		return NULL;
	}
	copy = strndup(start + 1, length);
	if (!copy)
		error_set(error, -ENOMEM, "out of memory");
	return copy;
}

static bool is_guest_section(const char *section)
{
	return strncmp(section, "Guest", strlen("Guest")) == 0;
}

static int take_section(void *data, const struct ini_position *position, const char *section,
			struct error *error)
{
	_cleanup_(freep) char *pattern = NULL;

	if (is_guest_section(section)) {
		struct loader *loader = data;

		pattern = guest_pattern(section, error);
		loader->out_of_memory |= !pattern && error->number == -ENOMEM;
		return pattern ? 0 : error->number;
	}
	if (strcmp(section, "Coordinator") != 0)
		warn_at(data, position, "section", section);
	return 0;
}

static int take_key_of_guest(struct loader *loader, const struct ini_position *position,
			     const char *section, const char *key, const char *value,
			     struct error *error)
{
	struct error reported = { 0 };
	_cleanup_(freep) char *pattern = guest_pattern(section, &reported);
	struct config_rule *rule;

	if (!pattern) /* take_section has reported it */
		return reported.number == -ENOMEM ? -ENOMEM : 0;
	if (loader->config->n_rules == RULES_MAX)
		return error_set(error, -E2BIG, "ignored, because there are too many sections");
	rule = rule_for_pattern(loader->config, pattern, position);
	if (!rule)
		return error_set(error, -ENOMEM, "out of memory");
	return take_guest_key(loader, rule, position, key, value, error);
}

static int take_key(void *data, const struct ini_position *position, const char *section,
		    const char *key, const char *value, struct error *error)
{
	struct loader *loader = data;
	int r = 0;

	if (strcmp(section, "Coordinator") == 0)
		r = take_coordinator_key(loader, position, key, value, error);
	else if (is_guest_section(section))
		r = take_key_of_guest(loader, position, section, key, value, error);
	else if (section[0] == '\0')
		r = error_set(error, -EINVAL, "must follow a [Section]");
	loader->out_of_memory |= r == -ENOMEM;
	return r;
}

/* Reads a file. Returns 0, -ENOENT, or a negative errno with `error` set. */
static int load_file(struct config *config, const char *path, config_warning_fn warn, void *data,
		     struct error *error)
{
	struct loader loader = { .config = config, .warn = warn, .data = data };
	struct error unreadable = { 0 };
	char text[512];
	int r = ini_file_parse_sections(path, take_section, take_key, add_problem, &loader,
					&unreadable);

	if (loader.n_unreported > 0) {
		snprintf(text, sizeof(text), "%s: %zu more problems", path, loader.n_unreported);
		warn(data, true, text);
	}
	if (loader.out_of_memory)
		r = error_set(&unreadable, -ENOMEM, "cannot read %s: out of memory", path);
	if (r == -EBADMSG)
		return 0;
	if (r < 0 && r != -ENOENT) {
		add_problem(&loader, error_text(&unreadable));
		error_set(error, r, "%s", error_text(&unreadable));
	}
	return r;
}

static int is_conf_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".conf") == 0;
}

/* Returns 0 or -ENOMEM. What else fails is a problem that `warn` has received. */
static int load_drop_in(struct config *config, const char *directory, const char *name,
			config_warning_fn warn, void *data)
{
	_cleanup_(freep) char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return -ENOMEM;
	return load_file(config, path, warn, data, NULL) == -ENOMEM ? -ENOMEM : 0;
}

static int load_drop_ins(struct config *config, const char *directory, config_warning_fn warn,
			 void *data)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, is_conf_file, alphasort);
	int r = 0;

	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		int each = load_drop_in(config, directory, entries[i]->d_name, warn, data);

		r = r < 0 ? r : each;
		free(entries[i]);
	}
	free(entries);
	return r;
}

int config_load(struct config *config, const char *path, config_warning_fn warn, void *data,
		struct error *error)
{
	struct loader loader = { .config = config, .warn = warn, .data = data };
	_cleanup_(freep) char *directory = NULL;
	char text[512];
	int r, drop_ins = -ENOMEM;

	assert(config && path && warn);
	r = load_file(config, path, warn, data, error);
	if (asprintf(&directory, "%s.d", path) >= 0)
		drop_ins = load_drop_ins(config, directory, warn, data);
	if (drop_ins < 0) {
		snprintf(text, sizeof(text), "cannot read %s.d: %s", path, strerror(-drop_ins));
		add_problem(&loader, text);
	}
	return drop_ins == -ENOMEM ? error_set(error, -ENOMEM, "%s", text) : r;
}
