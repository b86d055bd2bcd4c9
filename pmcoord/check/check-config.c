/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of pmcoord.conf: its lines, and the guests that its sections name. */

#include <assert.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "model/config.h"
#include "model/inventory.h"
#include "view/findings.h"
#include "check/check.h"

static void add_problems(const char *const *problems, enum finding_level level, const char *advice,
			 struct findings *findings)
{
	for (; problems && *problems; problems++)
		findings_add(findings, level, "configuration", advice, "%s", *problems);
}

static bool matches_a_guest(const struct config_rule *rule, const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->n_guests; i++)
		if (fnmatch(rule->pattern, inventory->guests[i].name, 0) == 0)
			return true;
	return false;
}

/* Reports each name in SuspendBefore= that matches no guest. */
static void check_order_of(const struct config_rule *rule, const struct inventory *inventory,
			   struct findings *findings)
{
	_cleanup_(freep) char *copy = rule->suspend_before ? strdup(rule->suspend_before) : NULL;
	char *rest = copy, *name;

	while (rest && (name = strsep(&rest, " ,\t")))
		if (name[0] && !inventory_find_name(inventory, name))
			findings_add(
				findings, FINDING_INFO, "configuration",
				"correct the name; if the guest exists but does not run now, ignore this",
				"%s: [Guest \"%s\"]: SuspendBefore= names '%s', but no such guest runs",
				rule->where, rule->pattern, name);
}

static void check_rules(const struct check_context *context, struct findings *findings)
{
	const struct config *config = context->config;

	for (size_t i = 0; i < config->n_rules && context->inventory; i++) {
		const struct config_rule *rule = &config->rules[i];

		if (!matches_a_guest(rule, context->inventory))
			findings_add(
				findings, FINDING_INFO, "configuration",
				"correct the name; if the guest exists but does not run now, ignore this",
				"%s: [Guest \"%s\"] matches no running guest", rule->where,
				rule->pattern);
		check_order_of(rule, context->inventory, findings);
	}
}

static void check_times(const struct config *config, struct findings *findings)
{
	if (config->guest_timeout_us <= config->deadline_us)
		return;
	findings_add(findings, FINDING_WARNING, "configuration",
		     "make GuestTimeout= shorter than Deadline=",
		     "GuestTimeout= (%" PRIu64 " s) exceeds Deadline= (%" PRIu64
		     " s), the time limit for all guests together",
		     config->guest_timeout_us / 1000000, config->deadline_us / 1000000);
}

void check_config(const struct check_context *context, struct findings *findings)
{
	assert(context && context->config && findings);
	add_problems(
		context->config_errors, FINDING_ERROR,
		"correct the file, see pmcoord.conf(5): until then this has no effect, and every cycle is degraded",
		findings);
	add_problems(context->config_warnings, FINDING_WARNING, "see pmcoord.conf(5)", findings);
	check_rules(context, findings);
	check_times(context->config, findings);
}
