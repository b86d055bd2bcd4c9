/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/config.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

void config_init(struct config *config)
{
	assert(config);
	*config = (struct config){
		.deadline_us = 30000000,
		.on_deadline = ON_FAILURE_PAUSE,
		.guest_timeout_us = 10000000,
		.on_failure = ON_FAILURE_PAUSE,
		.abort_on_lid_open = true,
		.resume_after = RESUME_AFTER_RUNNING,
		.ready_timeout_us = 30000000,
		.honour_inhibitors = true,
		.keep_reports = 50,
		/* As systemd's BATTERY_LOW_CAPACITY_LEVEL. */
		.low_battery_percent = 5,
	};
}

static void rules_free(struct config_rule *rules, size_t n_rules)
{
	for (size_t i = 0; i < n_rules; i++) {
		free(rules[i].pattern);
		free(rules[i].where);
		free(rules[i].suspend_before);
	}
	free(rules);
}

void config_done(struct config *config)
{
	if (!config)
		return;
	rules_free(config->rules, config->n_rules);
	config->rules = NULL;
	config->n_rules = 0;
	string_list_done(&config->problems);
}

const struct config_choice config_policies[] = {
	{ "suspend", POLICY_SUSPEND },
	{ "pause", POLICY_PAUSE },
	{ "ignore", POLICY_IGNORE },
	{ NULL, 0 },
};

const char *guest_policy_name(enum guest_policy policy)
{
	for (const struct config_choice *choice = config_policies; choice->name; choice++)
		if (choice->value == (int)policy)
			return choice->name;
	return "?";
}

struct guest_config config_for_guest(const struct config *config, const char *name)
{
	struct guest_config guest = {
		.policy = POLICY_SUSPEND,
		.on_failure = config->on_failure,
		.timeout_us = config->guest_timeout_us,
	};

	assert(name);
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct config_rule *rule = &config->rules[i];

		if (!config_rule_matches(rule, name))
			continue;
		if (rule->has_policy)
			guest.policy = rule->policy;
		if (rule->has_on_failure)
			guest.on_failure = rule->on_failure;
		if (rule->has_timeout)
			guest.timeout_us = rule->timeout_us;
	}
	if (config->vetoes_ignored)
		guest.on_failure = ON_FAILURE_PAUSE;
	return guest;
}

struct config config_without_vetoes(const struct config *config)
{
	struct config ret = *config;

	ret.vetoes_ignored = true;
	ret.on_deadline = ON_FAILURE_PAUSE;
	ret.abort_on_lid_open = false;
	ret.honour_inhibitors = false;
	return ret;
}

bool config_rule_matches(const struct config_rule *rule, const char *name)
{
	assert(rule->pattern && name);
	return fnmatch(rule->pattern, name, 0) == 0;
}

size_t config_next_name(const char **list, const char **ret_name)
{
	size_t length;

	assert(list && *list && ret_name);
	*list += strspn(*list, " ,\t");
	length = strcspn(*list, " ,\t");
	*ret_name = *list;
	*list += length;
	return length;
}
