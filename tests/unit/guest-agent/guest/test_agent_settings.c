/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "guest/files.h"
#include "guest/settings.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

struct reading {
	struct tree tree;
	struct settings settings;
	char problems[4096];
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

static void the_defaults_are_those_of_the_manual(void **state)
{
	struct settings settings;

	(void)state;
	assert_int_equal(settings_default(&settings), 0);
	assert_int_equal(settings.timeout_us, 10000000);
	assert_int_equal(settings.unbind_timeout_us, 5000000);
	assert_int_equal(settings.restore_timeout_us, 30000000);
	assert_int_equal(settings.thaw_after_us, 3000000);
	assert_int_equal(settings.hook_timeout_us, 5000000);
	assert_true(settings.hook_failure_counts);
	assert_int_equal(settings.network_manager, NETWORK_MANAGER_AUTO);
	assert_true(settings.honour_inhibitors);
	assert_true(settings.compact_memory);
	assert_true(settings.devices);
	assert_false(settings.sync);
	assert_int_equal(settings.n_freeze, 1);
	assert_string_equal(settings.freeze[0], "user.slice");
	assert_int_equal(settings.n_unload, 0);
	assert_int_equal(settings.n_rules, 0);
	settings_done(&settings);
	settings_done(NULL);
}

/* Expects that "[Agent]\nKEY=VALUE" has this problem; "": none. */
static void expect_problem(const char *line, const char *problem)
{
	struct reading *reading;
	char text[1000], expected[500];

	snprintf(text, sizeof(text), "[Agent]\n%s\n", line);
	snprintf(expected, sizeof(expected), "%s%s%s", problem[0] ? "agent.conf:2: " : "", problem,
		 problem[0] ? "\n" : "");
	reading = read_text(text);
	assert_string_equal(reading->problems, expected);
	assert_int_equal(reading->r, problem[0] ? SETTINGS_BAD : 0);
	done(reading);
}

static void accepts_only_values_that_make_sense(void **state)
{
	(void)state;
	expect_problem("Timeout=1h", "");
	expect_problem("Timeout=3600s", "");
	expect_problem("Timeout=1us", "");
	expect_problem("Timeout=0",
		       "Timeout: '0' is not a time of up to 1h, such as '500ms' or '10s'");
	expect_problem("Timeout=3601s",
		       "Timeout: '3601s' is not a time of up to 1h, such as '500ms' or '10s'");
	expect_problem("Sync=maybe", "Sync: 'maybe' is neither yes nor no");
	expect_problem("HookFailure=count", "HookFailure: 'count' is neither fail nor ignore");
	expect_problem("HookFailure=fail", "");
	expect_problem("NetworkManager=yes", "NetworkManager: 'yes' is neither auto nor no");
	expect_problem("NetworkManager=auto", "");
	expect_problem("Devices=auto", "");
	expect_problem("HonourInhibitors=1", "");
}

static void a_bad_value_changes_nothing(void **state)
{
	struct reading *reading = read_text("[Agent]\n"
					    "NetworkManager=no\n"
					    "NetworkManager=yes\n"
					    "Devices=none\n"
					    "Devices=some\n"
					    "Timeout=3s\n"
					    "Timeout=0\n");

	(void)state;
	assert_int_equal(reading->settings.network_manager, NETWORK_MANAGER_NO);
	assert_false(reading->settings.devices);
	assert_int_equal(reading->settings.timeout_us, 3000000);
	done(reading);
}

static void the_last_of_several_lists_counts(void **state)
{
	struct reading *reading = read_text("[Agent]\n"
					    "Freeze=a.slice\tb.slice, c.slice\n"
					    "UnloadModules=x y\n"
					    "Freeze=d.slice e.slice\n"
					    "UnloadModules=z\n");

	(void)state;
	assert_int_equal(reading->settings.n_freeze, 2);
	assert_string_equal(reading->settings.freeze[0], "d.slice");
	assert_string_equal(reading->settings.freeze[1], "e.slice");
	assert_int_equal(reading->settings.n_unload, 1);
	assert_string_equal(reading->settings.unload[0], "z");
	done(reading);
}

static void a_list_has_an_end(void **state)
{
	struct reading *reading;
	char text[1000] = "[Agent]\nFreeze=";

	(void)state;
	for (int i = 0; i < 70; i++)
		sprintf(text + strlen(text), "w%d,", i);
	strcat(text, "\n");
	reading = read_text(text);
	assert_string_equal(reading->problems, "");
	assert_int_equal(reading->settings.n_freeze, 64);
	assert_string_equal(reading->settings.freeze[63], "w63");
	done(reading);
}

static void the_first_rule_that_matches_counts(void **state)
{
	struct reading *reading = read_text("[Device \"0000:00:04.?\"]\n"
					    "Action=keep\n"
					    "[Device \"iwl\"]\n"
					    "Action=hook\n"
					    "[Device \"iwl*\"]\n"
					    "Action=unbind\n"
					    "Modules=a\n"
					    "[Device \"iwl\"]\n"
					    "Modules=b\n"
					    "Modules=c d\n"
					    "[Device \"8086:*\"]\n"
					    "Action=auto\n"
					    "Colour=blue\n");
	static const struct {
		const char *address, *driver, *identity;
		int rule; /* its index, or -1 */
	} cases[] = {
		{ "0000:00:04.7", "iwlwifi", "8086:2723", 0 },
		{ "0000:00:04.17", "iwl", "8086:2723", 1 },
		{ "0000:00:05.0", "iwlwifi", "8086:2723", 2 },
		{ "0000:00:05.0", "igb", "8086:1533", 3 },
		{ "0000:00:05.0", "igb", "1234:8086", -1 },
	};
	const struct settings *settings = &reading->settings;

	(void)state;
	assert_string_equal(reading->problems, "agent.conf:13: unknown key 'Colour', ignoring\n");
	assert_int_equal(reading->r, 0);
	assert_int_equal(settings->n_rules, 4);
	assert_string_equal(settings->rules[1].modules, "c d");
	assert_string_equal(settings->rules[2].modules, "a");
	assert_null(settings->rules[0].modules);
	assert_int_equal(settings->rules[1].action, DEVICE_HOOK);
	assert_int_equal(settings->rules[3].action, DEVICE_AUTO);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const struct device_rule *rule = settings_find_rule(
			settings, cases[i].address, cases[i].driver, cases[i].identity);

		if (cases[i].rule < 0)
			assert_null(rule);
		else
			assert_ptr_equal(rule, &settings->rules[cases[i].rule]);
	}
	done(reading);
}

static void a_section_without_a_pattern_is_a_problem(void **state)
{
	static const char *const sections[] = { "Device x", "Device \"\"", "Device \"x",
						"Device \"x\"y", "Device x\"" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(sections); i++) {
		struct reading *reading;
		char text[100];

		snprintf(text, sizeof(text), "[%s]\nAction=keep\n", sections[i]);
		reading = read_text(text);
		assert_int_equal(reading->r, SETTINGS_BAD);
		assert_string_equal(reading->problems,
				    "agent.conf:2: Action: the section must read [Device "
				    "\"PATTERN\"]\n");
		assert_int_equal(reading->settings.n_rules, 0);
		done(reading);
	}
}

static void counts_the_problems_of_a_file_of_garbage(void **state)
{
	static const int problems[] = { 20, 21, 33 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(problems); i++) {
		struct reading *reading;
		char text[1000] = "[Agent]\n", last[100];
		size_t lines = 0;

		for (int n = 0; n < problems[i]; n++)
			strcat(text, "Colour=blue\n");
		reading = read_text(text);
		snprintf(last, sizeof(last), "agent.conf: %d more problems\n", problems[i] - 20);
		for (const char *line = reading->problems; (line = strchr(line, '\n')); line++)
			lines++;
		assert_int_equal(lines, problems[i] > 20 ? 21 : 20);
		assert_int_equal(strstr(reading->problems, last) != NULL, problems[i] > 20);
		assert_non_null(strstr(reading->problems, "agent.conf:21: unknown"));
		assert_null(strstr(reading->problems, "agent.conf:22: unknown"));
		done(reading);
	}
}

static void a_file_that_cannot_be_read_is_a_problem(void **state)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	struct error error = { 0 };

	(void)state;
	tree_new(&reading->tree);
	reading->r = settings_read(&reading->settings, reading->tree.run, note, reading, &error);
	assert_int_equal(reading->r, SETTINGS_BAD);
	assert_non_null(strstr(reading->problems, "run"));
	assert_int_equal(reading->settings.timeout_us, 10000000);
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
		cmocka_unit_test(the_defaults_are_those_of_the_manual),
		cmocka_unit_test(accepts_only_values_that_make_sense),
		cmocka_unit_test(a_bad_value_changes_nothing),
		cmocka_unit_test(the_last_of_several_lists_counts),
		cmocka_unit_test(a_list_has_an_end),
		cmocka_unit_test(the_first_rule_that_matches_counts),
		cmocka_unit_test(a_section_without_a_pattern_is_a_problem),
		cmocka_unit_test(counts_the_problems_of_a_file_of_garbage),
		cmocka_unit_test(a_file_that_cannot_be_read_is_a_problem),
	};

	return cmocka_run_group_tests_name("agent-settings", tests, NULL, NULL);
}
