/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/settings.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "pmcoord/ini-file.h"
#include "pmcoord/parse.h"

#define SECOND_US 1000000ull
/* The maximum number of words in a list; further words are ignored. */
#define LIST_MAX 64

/* The maximum number of reported problems. A file of garbage may have any number. */
#define PROBLEMS_MAX 20

struct reader {
	struct settings *settings;
	size_t n_problems;
	void (*problem)(void *data, const char *problem);
	void *data;
};

static void on_problem(void *data, const char *problem)
{
	struct reader *reader = data;

	if (reader->n_problems++ < PROBLEMS_MAX)
		reader->problem(reader->data, problem);
}

static void list_free(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

/* Splits `text` at blanks and commas; an empty text gives an empty list. Returns 0 or -ENOMEM. */
static int list_parse(const char *text, char ***ret, size_t *ret_n)
{
	_cleanup_(freep) char *copy = strdup(text);
	char **list = calloc(LIST_MAX, sizeof(*list));
	char *rest = NULL;
	size_t n = 0;

	if (!copy || !list)
		goto fail;
	for (char *word = strtok_r(copy, " \t,", &rest); word && n < LIST_MAX;
	     word = strtok_r(NULL, " \t,", &rest)) {
		list[n] = strdup(word);
		if (!list[n])
			goto fail;
		n++;
	}
	*ret = list;
	*ret_n = n;
	return 0;
fail:
	list_free(list, n);
	return -ENOMEM;
}

static int set_list(const char *value, char ***list, size_t *n, struct error *error)
{
	char **parsed;
	size_t n_parsed;
	int r = list_parse(value, &parsed, &n_parsed);

	if (r < 0)
		return error_set(error, r, "out of memory");
	list_free(*list, *n);
	*list = parsed;
	*n = n_parsed;
	return 0;
}

static int set_time(struct settings *settings, void *field, const char *value, struct error *error)
{
	uint64_t us;

	(void)settings;
	if (parse_duration(value, &us) < 0 || us == 0 || us > 3600 * SECOND_US)
		return error_set(error, -EINVAL,
				 "'%s' is not a time of up to 1h, such as '500ms' or '10s'", value);
	*(uint64_t *)field = us;
	return 0;
}

static int set_switch(struct settings *settings, void *field, const char *value,
		      struct error *error)
{
	(void)settings;
	if (parse_boolean(value, field) < 0)
		return error_set(error, -EINVAL, "'%s' is neither yes nor no", value);
	return 0;
}

static int set_freeze(struct settings *settings, void *field, const char *value,
		      struct error *error)
{
	(void)field;
	return set_list(value, &settings->freeze, &settings->n_freeze, error);
}

static int set_unload(struct settings *settings, void *field, const char *value,
		      struct error *error)
{
	(void)field;
	return set_list(value, &settings->unload, &settings->n_unload, error);
}

/* Sets the field of a key with two possible values: true for `yes`, false for `no`. */
static int set_choice(const char *value, const char *yes, const char *no, bool *field,
		      struct error *error)
{
	if (strcmp(value, yes) != 0 && strcmp(value, no) != 0)
		return error_set(error, -EINVAL, "'%s' is neither %s nor %s", value, yes, no);
	*field = strcmp(value, yes) == 0;
	return 0;
}

static int set_devices(struct settings *settings, void *field, const char *value,
		       struct error *error)
{
	(void)settings;
	return set_choice(value, "auto", "none", field, error);
}

static int set_hook_failure(struct settings *settings, void *field, const char *value,
			    struct error *error)
{
	(void)settings;
	return set_choice(value, "fail", "ignore", field, error);
}

static int set_manager(struct settings *settings, void *field, const char *value,
		       struct error *error)
{
	bool automatic = true;
	int r = set_choice(value, "auto", "no", &automatic, error);

	(void)field;
	if (r == 0)
		settings->network_manager = automatic ? NETWORK_MANAGER_AUTO : NETWORK_MANAGER_NO;
	return r;
}

static const struct {
	const char *key;
	int (*set)(struct settings *settings, void *field, const char *value, struct error *error);
	size_t offset;
} agent_keys[] = {
#define FIELD(name) offsetof(struct settings, name)
	{ "Timeout", set_time, FIELD(timeout_us) },
	{ "Freeze", set_freeze, 0 },
	{ "ThawAfter", set_time, FIELD(thaw_after_us) },
	{ "Sync", set_switch, FIELD(sync) },
	{ "Devices", set_devices, FIELD(devices) },
	{ "UnbindTimeout", set_time, FIELD(unbind_timeout_us) },
	{ "RestoreTimeout", set_time, FIELD(restore_timeout_us) },
	{ "UnloadModules", set_unload, 0 },
	{ "CompactMemory", set_switch, FIELD(compact_memory) },
	{ "NetworkManager", set_manager, 0 },
	{ "HonourInhibitors", set_switch, FIELD(honour_inhibitors) },
	{ "HookTimeout", set_time, FIELD(hook_timeout_us) },
	{ "HookFailure", set_hook_failure, FIELD(hook_failure_counts) },
#undef FIELD
};

static void warn_unknown(struct reader *reader, const struct ini_position *position,
			 const char *what, const char *name)
{
	char line[512];

	snprintf(line, sizeof(line), "%s:%u: unknown %s '%s', ignoring", position->file,
		 position->line, what, name);
	on_problem(reader, line);
}

static int set_agent_key(struct reader *reader, const struct ini_position *position,
			 const char *key, const char *value, struct error *error)
{
	for (size_t i = 0; i < ELEMENTSOF(agent_keys); i++) {
		if (strcmp(agent_keys[i].key, key) != 0)
			continue;
		return agent_keys[i].set(reader->settings,
					 (char *)reader->settings + agent_keys[i].offset, value,
					 error);
	}
	warn_unknown(reader, position, "key", key);
	return 0;
}

/* Finds or adds the rule of the section `Device "PATTERN"`. Returns 0 or negative errno. */
static int get_rule(struct settings *settings, const char *section, struct device_rule **ret,
		    struct error *error)
{
	const char *start = strchr(section, '"');
	size_t length = start ? strcspn(start + 1, "\"") : 0;
	struct device_rule *rules, *rule;

	if (length == 0 || strcmp(start + 1 + length, "\"") != 0)
		return error_set(error, -EINVAL, "the section must read [Device \"PATTERN\"]");
	for (size_t i = 0; i < settings->n_rules; i++) {
		rule = &settings->rules[i];
		if (strlen(rule->pattern) == length &&
		    strncmp(rule->pattern, start + 1, length) == 0) {
			*ret = rule;
			return 0;
		}
	}
	rules = realloc(settings->rules, (settings->n_rules + 1) * sizeof(*rules));
	if (!rules)
		return error_set(error, -ENOMEM, "out of memory");
	settings->rules = rules;
	rule = &rules[settings->n_rules];
	*rule = (struct device_rule){ .pattern = strndup(start + 1, length) };
	if (!rule->pattern)
		return error_set(error, -ENOMEM, "out of memory");
	settings->n_rules++;
	*ret = rule;
	return 0;
}

static int set_action(struct device_rule *rule, const char *value, struct error *error)
{
	static const char *const names[] = {
		[DEVICE_AUTO] = "auto",	    [DEVICE_UNBIND] = "unbind", [DEVICE_KEEP] = "keep",
		[DEVICE_MODULE] = "module", [DEVICE_HOOK] = "hook",
	};
	int action = ENUM_PARSE(names, value);

	ENUM_COMPLETE(names, DEVICE_HOOK);
	if (action >= 0) {
		rule->action = (enum device_action)action;
		return 0;
	}
	/* A device whose treatment is not understood is not taken away. */
	rule->action = DEVICE_KEEP;
	return error_set(error, -EINVAL,
			 "'%s' is none of auto, unbind, keep, module, hook; it counts as keep",
			 value);
}

static int set_device_key(struct reader *reader, const struct ini_position *position,
			  const char *section, const char *key, const char *value,
			  struct error *error)
{
	struct device_rule *rule = NULL;
	int r = get_rule(reader->settings, section, &rule, error);

	if (r < 0)
		return r;
	if (strcmp(key, "Action") == 0)
		return set_action(rule, value, error);
	if (strcmp(key, "Modules") == 0) {
		free(rule->modules);
		rule->modules = strdup(value);
		return rule->modules ? 0 : error_set(error, -ENOMEM, "out of memory");
	}
	warn_unknown(reader, position, "key", key);
	return 0;
}

static int on_key(void *data, const struct ini_position *position, const char *section,
		  const char *key, const char *value, struct error *error)
{
	struct reader *reader = data;

	if (strcmp(section, "Agent") == 0)
		return set_agent_key(reader, position, key, value, error);
	if (strncmp(section, "Device ", 7) == 0)
		return set_device_key(reader, position, section, key, value, error);
	warn_unknown(reader, position, "section", section);
	return 0;
}

int settings_default(struct settings *ret)
{
	assert(ret);
	*ret = (struct settings){
		.timeout_us = 10 * SECOND_US,
		.devices = true,
		.unbind_timeout_us = 5 * SECOND_US,
		.restore_timeout_us = 30 * SECOND_US,
		.thaw_after_us = 3 * SECOND_US,
		.hook_timeout_us = 5 * SECOND_US,
		.hook_failure_counts = true,
		.network_manager = NETWORK_MANAGER_AUTO,
		.honour_inhibitors = true,
		.compact_memory = true,
	};
	return list_parse("user.slice", &ret->freeze, &ret->n_freeze);
}

int settings_read(struct settings *ret, const char *path,
		  void (*problem)(void *data, const char *problem), void *data, struct error *error)
{
	struct reader reader = {
		.settings = ret,
		.problem = problem,
		.data = data,
	};
	struct error unreadable = { 0 };
	char more[512];
	int r;

	assert(path && problem);
	r = settings_default(ret);
	if (r < 0)
		return error_set(error, r, "out of memory");
	r = ini_file_parse(path, on_key, on_problem, &reader, &unreadable);
	if (r == -ENOMEM)
		return error_set(error, r, "%s", error_text(&unreadable));
	if (reader.n_problems > PROBLEMS_MAX) {
		snprintf(more, sizeof(more), "%s: %zu more problems", path,
			 reader.n_problems - PROBLEMS_MAX);
		problem(data, more);
	}
	if (r == 0 || r == -ENOENT)
		return 0;
	if (r != -EBADMSG)
		problem(data, error_text(&unreadable));
	return SETTINGS_BAD;
}

const struct device_rule *settings_find_rule(const struct settings *settings, const char *address,
					     const char *driver, const char *identity)
{
	assert(settings && address && driver && identity);
	for (size_t i = 0; i < settings->n_rules; i++) {
		const struct device_rule *rule = &settings->rules[i];

		if (fnmatch(rule->pattern, address, 0) == 0 ||
		    fnmatch(rule->pattern, driver, 0) == 0 ||
		    fnmatch(rule->pattern, identity, 0) == 0)
			return rule;
	}
	return NULL;
}

void settings_done(struct settings *settings)
{
	if (!settings)
		return;
	list_free(settings->freeze, settings->n_freeze);
	list_free(settings->unload, settings->n_unload);
	for (size_t i = 0; i < settings->n_rules; i++) {
		free(settings->rules[i].pattern);
		free(settings->rules[i].modules);
	}
	free(settings->rules);
	*settings = (struct settings){ 0 };
}
