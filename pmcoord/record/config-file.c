/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/config-file.h"

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

struct loader {
	struct config *config;
	config_warning_fn warn;
	void *data;
	char *problems; /* of the file being read, one per line; NULL: none */
	bool out_of_memory;
};

static void warn_at(struct loader *loader, const struct ini_position *position, const char *what,
		    const char *name)
{
	char text[512];

	snprintf(text, sizeof(text), "%s:%u: ignoring unknown %s '%s'", position->file,
		 position->line, what, name);
	loader->warn(loader->data, text);
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

static int take_guest_key(struct loader *loader, struct config_rule *rule,
			  const struct ini_position *position, const char *key, const char *value,
			  struct error *error)
{
	int choice, r = 0;

	if (strcmp(key, "Policy") == 0) {
		r = take_choice(config_policies, value, &choice, error);
		if (r == 0)
			rule->policy = (enum guest_policy)choice;
		rule->has_policy |= r == 0;
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
 * Copies NAME out of a section of the form: Guest "NAME". Returns false if the
 * section does not have this form or NAME does not fit.
 */
static bool guest_pattern(const char *section, char *ret, size_t size)
{
	static const char prefix[] = "Guest";
	const char *start;
	size_t length;

	if (strncmp(section, prefix, strlen(prefix)) != 0)
		return false;
	start = section + strlen(prefix);
	start += strspn(start, " \t");
	if (start[0] != '"')
		return false;
	start++;
	length = strcspn(start, "\"");
	if (start[length] != '"' || start[length + 1] != '\0' || length == 0 || length >= size)
		return false;
	memcpy(ret, start, length);
	ret[length] = '\0';
	return true;
}

static int take_key(void *data, const struct ini_position *position, const char *section,
		    const char *key, const char *value, struct error *error)
{
	struct loader *loader = data;
	struct config_rule *rule;
	char pattern[64];

	if (strcmp(section, "Coordinator") == 0)
		return take_coordinator_key(loader, position, key, value, error);
	if (strncmp(section, "Guest", 5) == 0) {
		if (!guest_pattern(section, pattern, sizeof(pattern)))
			return error_set(error, -EINVAL,
					 "section [%s] is not of the form [Guest \"name\"]",
					 section);
		rule = rule_for_pattern(loader->config, pattern, position);
		if (!rule)
			return error_set(error, -ENOMEM, "out of memory");
		return take_guest_key(loader, rule, position, key, value, error);
	}
	if (section[0] == '\0')
		return error_set(error, -EINVAL, "must follow a [Section]");
	warn_at(loader, position, "section", section);
	return 0;
}

static void collect_problem(void *data, const char *problem)
{
	struct loader *loader = data;
	char *problems;

	if (asprintf(&problems, "%s%s%s", loader->problems ? loader->problems : "",
		     loader->problems ? "\n" : "", problem) < 0) {
		loader->out_of_memory = true;
		return;
	}
	free(loader->problems);
	loader->problems = problems;
}

static int config_copy(const struct config *config, struct config *ret)
{
	*ret = *config;
	ret->n_rules = 0;
	ret->rules = calloc(config->n_rules + 1, sizeof(*ret->rules));
	if (!ret->rules)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct config_rule *from = &config->rules[i];
		struct config_rule *to = &ret->rules[ret->n_rules++];

		*to = *from;
		to->pattern = strdup(from->pattern);
		to->where = strdup(from->where);
		to->suspend_before = from->suspend_before ? strdup(from->suspend_before) : NULL;
		if (!to->pattern || !to->where || (from->suspend_before && !to->suspend_before)) {
			config_done(ret);
			return -ENOMEM;
		}
	}
	return 0;
}

/*
 * Reads a file into a copy of the configuration. The copy replaces the
 * configuration only if the file has no error, so a broken drop-in changes
 * nothing.
 */
static int load_file(struct config *config, const char *path, config_warning_fn warn, void *data,
		     struct error *error)
{
	struct config copy;
	struct loader loader = { .config = &copy, .warn = warn, .data = data };
	int r = config_copy(config, &copy);

	if (r < 0)
		return error_set(error, r, "cannot read %s: out of memory", path);
	r = ini_file_parse(path, take_key, collect_problem, &loader, error);
	if (loader.out_of_memory)
		r = -ENOMEM;
	if (r == -EBADMSG)
		error_set(error, r, "%s", loader.problems);
	error_mark(error, -EBADMSG, OUTCOME_USAGE);
	error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
	free(loader.problems);
	if (r < 0) {
		config_done(&copy);
		return r;
	}
	config_done(config);
	*config = copy;
	return 0;
}

static int is_conf_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".conf") == 0;
}

static int load_drop_ins(struct config *config, const char *directory, config_warning_fn warn,
			 void *data)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, is_conf_file, alphasort);

	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		_cleanup_(freep) char *path = NULL;
		struct error error = { 0 };
		char text[1024];

		if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) >= 0 &&
		    load_file(config, path, warn, data, &error) < 0) {
			snprintf(text, sizeof(text), "ignoring %s, which has errors: %s", path,
				 error_text(&error));
			warn(data, text);
		}
		free(entries[i]);
	}
	free(entries);
	return 0;
}

int config_load(struct config *config, const char *path, config_warning_fn warn, void *data,
		struct error *error)
{
	_cleanup_(freep) char *directory = NULL;
	int r = load_file(config, path, warn, data, error);

	if (r < 0 && r != -ENOENT)
		return r;
	if (asprintf(&directory, "%s.d", path) < 0)
		return error_set(error, -ENOMEM, "cannot read %s.d: out of memory", path);
	r = load_drop_ins(config, directory, warn, data);
	if (r < 0)
		return error_set(error, r, "cannot read %s: %s", directory, strerror(-r));
	return 0;
}
