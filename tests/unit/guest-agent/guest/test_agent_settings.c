/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "guest/files.h"
#include "guest/settings.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

struct reading {
	struct tree tree;
	struct settings settings;
	char problems[2048];
	int r;
};

static void note(void *data, const char *problem)
{
	struct reading *reading = data;
	const char *place = strrchr(problem, '/');

	strcat(reading->problems, place ? place + 1 : problem);
	strcat(reading->problems, "\n");
}

static struct reading *read_text(const char *text)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	struct error error = { 0 };
	char path[FILE_PATH_MAX];

	tree_new(&reading->tree);
	if (text)
		tree_write(&reading->tree, "etc/agent.conf", text);
	tree_path(&reading->tree, path, "etc/agent.conf");
	reading->r = settings_read(&reading->settings, path, note, reading, &error);
	return reading;
}

static void done(struct reading *reading)
{
	settings_done(&reading->settings);
	tree_free(&reading->tree);
	free(reading);
}

static void works_without_a_file(void **state)
{
	struct reading *reading = read_text(NULL);

	(void)state;
	assert_int_equal(reading->r, 0);
	assert_int_equal(reading->settings.timeout_us, 10000000);
	assert_int_equal(reading->settings.n_freeze, 1);
	assert_string_equal(reading->settings.freeze[0], "user.slice");
	assert_true(reading->settings.devices);
	done(reading);
}

static void reads_every_key(void **state)
{
	struct reading *reading = read_text("[Agent]\n"
					    "Timeout=4s\n"
					    "Freeze=user.slice machine.slice\n"
					    "ThawAfter=500ms\n"
					    "Sync=yes\n"
					    "Devices=none\n"
					    "UnbindTimeout=2s\n"
					    "RestoreTimeout=1min\n"
					    "UnloadModules=iwlmvm iwlwifi\n"
					    "CompactMemory=no\n"
					    "NetworkManager=no\n"
					    "HonourInhibitors=no\n"
					    "HookTimeout=9s\n"
					    "HookFailure=ignore\n"
					    "[Device \"iwl*\"]\n"
					    "Action=module\n"
					    "Modules=a b\n");
	const struct settings *settings = &reading->settings;
	const struct device_rule *rule;

	(void)state;
	assert_string_equal(reading->problems, "");
	assert_int_equal(reading->r, 0);
	assert_int_equal(settings->timeout_us, 4000000);
	assert_int_equal(settings->n_freeze, 2);
	assert_string_equal(settings->freeze[1], "machine.slice");
	assert_int_equal(settings->thaw_after_us, 500000);
	assert_true(settings->sync);
	assert_false(settings->devices);
	assert_int_equal(settings->unbind_timeout_us, 2000000);
	assert_int_equal(settings->restore_timeout_us, 60000000);
	assert_int_equal(settings->n_unload, 2);
	assert_false(settings->compact_memory);
	assert_int_equal(settings->network_manager, NETWORK_MANAGER_NO);
	assert_false(settings->honour_inhibitors);
	assert_int_equal(settings->hook_timeout_us, 9000000);
	assert_false(settings->hook_failure_counts);
	rule = settings_find_rule(settings, "0000:00:04.0", "iwlwifi", "8086:2723");
	assert_non_null(rule);
	assert_int_equal(rule->action, DEVICE_MODULE);
	assert_string_equal(rule->modules, "a b");
	assert_null(settings_find_rule(settings, "0000:00:04.0", "igb", "8086:1533"));
	done(reading);
}

static void reports_all_problems_with_their_lines(void **state)
{
	struct reading *reading = read_text("[Agent]\n"
					    "Timeout=soon\n"
					    "Devices=some\n"
					    "Colour=blue\n"
					    "CompactMemory=perhaps\n"
					    "[Device \"x\"]\n"
					    "Action=eat\n"
					    "[Device x]\n"
					    "Action=keep\n"
					    "[Nonsense]\n"
					    "A=1\n");

	(void)state;
	assert_int_equal(reading->r, SETTINGS_BAD);
	/* The defaults apply, and a device is kept. */
	assert_int_equal(reading->settings.timeout_us, 10000000);
	assert_true(reading->settings.devices);
	assert_true(reading->settings.compact_memory);
	assert_int_equal(reading->settings.n_rules, 1);
	assert_int_equal(reading->settings.rules[0].action, DEVICE_KEEP);
	assert_string_equal(reading->problems,
			    "agent.conf:2: Timeout: 'soon' is not a time of up to 1h, such "
			    "as "
			    "'500ms' or '10s'\n"
			    "agent.conf:3: Devices: 'some' is neither auto nor none\n"
			    "agent.conf:4: unknown key 'Colour', ignoring\n"
			    "agent.conf:5: CompactMemory: 'perhaps' is neither yes nor no\n"
			    "agent.conf:7: Action: 'eat' is none of auto, unbind, keep, "
			    "module, hook; it counts as keep\n"
			    "agent.conf:9: Action: the section must read [Device "
			    "\"PATTERN\"]\n"
			    "agent.conf:11: unknown section 'Nonsense', ignoring\n");
	done(reading);
}

static void starts_with_an_unknown_key(void **state)
{
	struct reading *reading = read_text("[Agent]\nColour=blue\n");

	(void)state;
	assert_int_equal(reading->r, 0);
	assert_string_equal(reading->problems, "agent.conf:2: unknown key 'Colour', ignoring\n");
	done(reading);
}

static void freezes_nothing_if_configured(void **state)
{
	struct reading *reading = read_text("[Agent]\nFreeze=\n");

	(void)state;
	assert_int_equal(reading->r, 0);
	assert_int_equal(reading->settings.n_freeze, 0);
	done(reading);
}

/* The shipped file changes nothing if all keys are uncommented, because it shows the defaults. */
static void the_shipped_file_shows_the_defaults(void **state)
{
	char text[8192] = "", line[256];
	struct settings settings;
	struct reading *reading;
	FILE *file = fopen("hooks/agent.conf", "re");

	(void)state;
	if (!file)
		skip();
	while (fgets(line, sizeof(line), file)) {
		bool key =
			line[0] == '#' && line[1] != ' ' && (strchr(line, '=') || line[1] == '[');

		/* The section at the end of the file is an example, not a default. */
		if (strncmp(line, "#[Device", 8) == 0)
			break;
		strcat(text, key ? line + 1 : line);
	}
	fclose(file);
	reading = read_text(text);
	settings_default(&settings);
	assert_string_equal(reading->problems, "");
	assert_int_equal(reading->r, 0);
	assert_int_equal(reading->settings.timeout_us, settings.timeout_us);
	assert_int_equal(reading->settings.thaw_after_us, settings.thaw_after_us);
	assert_int_equal(reading->settings.unbind_timeout_us, settings.unbind_timeout_us);
	assert_int_equal(reading->settings.restore_timeout_us, settings.restore_timeout_us);
	assert_int_equal(reading->settings.hook_timeout_us, settings.hook_timeout_us);
	assert_int_equal(reading->settings.hook_failure_counts, settings.hook_failure_counts);
	assert_int_equal(reading->settings.devices, settings.devices);
	assert_int_equal(reading->settings.n_unload, 0);
	assert_int_equal(reading->settings.n_freeze, 1);
	settings_done(&settings);
	done(reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(works_without_a_file),
		cmocka_unit_test(reads_every_key),
		cmocka_unit_test(reports_all_problems_with_their_lines),
		cmocka_unit_test(starts_with_an_unknown_key),
		cmocka_unit_test(freezes_nothing_if_configured),
		cmocka_unit_test(the_shipped_file_shows_the_defaults),
	};

	return cmocka_run_group_tests_name("agent-settings", tests, NULL, NULL);
}
