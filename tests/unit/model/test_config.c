/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/config.h"
#include "record/config-file.h"
#include "tests/unit/tree.h"

/* A directory with pmcoord.conf and drop-ins, and the result of loading it. */
struct world {
	char directory[64];
	char path[96];
	struct config config;
	char warnings[8192];
	size_t n_problems;
	struct error error;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	char path[128];

	assert_non_null(world);
	strcpy(world->directory, "/tmp/pmcoord-config-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	snprintf(world->path, sizeof(world->path), "%s/pmcoord.conf", world->directory);
	snprintf(path, sizeof(path), "%s.d", world->path);
	assert_int_equal(mkdir(path, 0755), 0);
	config_init(&world->config);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	config_done(&world->config);
	assert_int_equal(tree_remove_all(world->directory), 0);
	free(world);
	return 0;
}

/* "" is the main file, anything else a drop-in. */
static void write_file(const struct world *world, const char *name, const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s%s", world->path, name[0] ? ".d/" : "", name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void collect_warning(void *data, bool is_problem, const char *warning)
{
	struct world *world = data;

	if (is_problem)
		world->n_problems++;
	strcat(world->warnings, warning);
	strcat(world->warnings, "\n");
}

static int load(struct world *world)
{
	return config_load(&world->config, world->path, collect_warning, world, &world->error);
}

static void forget(struct world *world)
{
	config_done(&world->config);
	config_init(&world->config);
	world->warnings[0] = '\0';
	world->n_problems = 0;
	world->error = (struct error){ 0 };
}

static void works_without_a_file(void **state)
{
	struct world *world = *state;
	struct guest_config guest;

	assert_int_equal(load(world), -ENOENT);
	assert_int_equal(world->config.deadline_us, 30000000);
	assert_int_equal(world->config.on_deadline, ON_FAILURE_PAUSE);
	assert_int_equal(world->config.guest_timeout_us, 10000000);
	assert_int_equal(world->config.on_failure, ON_FAILURE_PAUSE);
	assert_true(world->config.abort_on_lid_open);
	assert_int_equal(world->config.resume_after, RESUME_AFTER_RUNNING);
	assert_true(world->config.honour_inhibitors);
	assert_int_equal(world->config.keep_reports, 50);
	guest = config_for_guest(&world->config, "anyone");
	assert_int_equal(guest.policy, POLICY_SUSPEND);
	assert_int_equal(guest.timeout_us, 10000000);
	assert_string_equal(world->warnings, "");
}

static void reads_every_key(void **state)
{
	struct world *world = *state;
	struct guest_config guest;

	write_file(world, "",
		   "[Coordinator]\nDeadline=40s\nOnDeadline=abort\n"
		   "GuestTimeout=1500ms\nOnFailure=abort\nAbortOnLidOpen=no\n"
		   "ResumeAfter=ready\nReadyTimeout=1min\nHonourInhibitors=no\n"
		   "KeepReports=7\nLowBattery=12%\n"
		   "[Guest \"backup-*\"]\nPolicy=pause\nOnFailure=pause\n"
		   "Timeout=20s\nSuspendBefore=store, disk\n");
	assert_int_equal(load(world), 0);
	assert_int_equal(world->config.deadline_us, 40000000);
	assert_int_equal(world->config.on_deadline, ON_FAILURE_ABORT);
	assert_int_equal(world->config.guest_timeout_us, 1500000);
	assert_int_equal(world->config.on_failure, ON_FAILURE_ABORT);
	assert_false(world->config.abort_on_lid_open);
	assert_int_equal(world->config.resume_after, RESUME_AFTER_READY);
	assert_int_equal(world->config.ready_timeout_us, 60000000);
	assert_false(world->config.honour_inhibitors);
	assert_int_equal(world->config.keep_reports, 7);
	assert_int_equal(world->config.low_battery_percent, 12);
	guest = config_for_guest(&world->config, "backup-home");
	assert_int_equal(guest.policy, POLICY_PAUSE);
	assert_int_equal(guest.on_failure, ON_FAILURE_PAUSE);
	assert_int_equal(guest.timeout_us, 20000000);
	assert_string_equal(world->warnings, "");
}

static void reports_file_line_key_and_problem(void **state)
{
	static const struct {
		const char *line;
		const char *problem;
	} cases[] = {
		{ "Deadline=soon", "Deadline: 'soon' is not a time span such as 30s or 500ms" },
		{ "Deadline=0", "Deadline: '0' is not between 1us and 1h" },
		{ "Deadline=2h", "Deadline: '2h' is not between 1us and 1h" },
		{ "GuestTimeout=-1s", "GuestTimeout: '-1s' is not a time span "
				      "such as 30s or 500ms" },
		{ "OnDeadline=stop", "OnDeadline: 'stop' is not one of: pause, abort" },
		{ "OnFailure=Pause", "OnFailure: 'Pause' is not one of: pause, abort" },
		{ "ResumeAfter=later", "ResumeAfter: 'later' is not one of: running, ready" },
		{ "AbortOnLidOpen=perhaps", "AbortOnLidOpen: 'perhaps' is neither yes nor no" },
		{ "KeepReports=many", "KeepReports: 'many' is not a number up to 1000000" },
		{ "LowBattery=101", "LowBattery: '101' is not a percentage such as 5%" },
		{ "LowBattery=105%", "LowBattery: '105%' is not a percentage such as 5%" },
		{ "LowBattery=%", "LowBattery: '%' is not a percentage such as 5%" },
		{ "LowBattery=123456789",
		  "LowBattery: '123456789' is not a percentage such as 5%" },
		{ "KeepReports=1000001", "KeepReports: '1000001' is not a number up to 1000000" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char text[256], expected[512];

		snprintf(text, sizeof(text), "# why not\n[Coordinator]\n%s\n", cases[i].line);
		snprintf(expected, sizeof(expected), "%s:3: %s\n", world->path, cases[i].problem);
		write_file(world, "", text);
		forget(world);
		assert_int_equal(load(world), 0);
		assert_string_equal(world->warnings, expected);
		assert_int_equal(world->n_problems, 1);
		assert_memory_equal(world->config.problems.texts[0], expected,
				    strlen(expected) - 1);
		/* The default applies. */
		assert_int_equal(world->config.deadline_us, 30000000);
		assert_int_equal(world->config.guest_timeout_us, 10000000);
		assert_int_equal(world->config.on_deadline, ON_FAILURE_PAUSE);
		assert_int_equal(world->config.on_failure, ON_FAILURE_PAUSE);
		assert_int_equal(world->config.resume_after, RESUME_AFTER_RUNNING);
		assert_true(world->config.abort_on_lid_open);
		assert_int_equal(world->config.keep_reports, 50);
	}
}

static void a_bad_line_costs_only_itself(void **state)
{
	struct world *world = *state;
	struct guest_config guest;
	char expected[1024];

	write_file(world, "",
		   "[Coordinator]\nDeadline=soon\nOnFailure=abort\nOnDeadline=x\nGuestTimeout=7s\n"
		   "[Guest web]\nPolicy=ignore\n[Guest \"web\"]\nTimeout=never\nOnFailure=pause\n"
		   "[Guest \"a\n[Guest \"mail\"]\nnonsense\nTimeout=3s\n");
	assert_int_equal(load(world), 0);
	snprintf(
		expected, sizeof(expected),
		"%s:2: Deadline: 'soon' is not a time span such as 30s or 500ms\n"
		"%s:4: OnDeadline: 'x' is not one of: pause, abort\n"
		"%s:6: Guest web: the section is not of the form [Guest \"name\"], so its keys are ignored\n"
		"%s:9: Timeout: 'never' is not a time span such as 30s or 500ms\n"
		"%s:11: section header without ']', so its keys are ignored\n"
		"%s:13: neither 'Key=value' nor a [Section]\n",
		world->path, world->path, world->path, world->path, world->path, world->path);
	assert_string_equal(world->warnings, expected);
	assert_int_equal(world->n_problems, 6);
	assert_int_equal(world->config.problems.n, 6);
	assert_int_equal(world->config.deadline_us, 30000000);
	assert_int_equal(world->config.on_failure, ON_FAILURE_ABORT);
	assert_int_equal(world->config.guest_timeout_us, 7000000);
	guest = config_for_guest(&world->config, "web");
	assert_int_equal(guest.policy, POLICY_SUSPEND);
	assert_int_equal(guest.timeout_us, 7000000);
	assert_int_equal(guest.on_failure, ON_FAILURE_PAUSE);
	assert_int_equal(config_for_guest(&world->config, "mail").timeout_us, 3000000);
}

static void a_bad_policy_counts_as_pause(void **state)
{
	struct world *world = *state;

	write_file(world, "",
		   "[Guest \"*\"]\nPolicy=ignore\n[Guest \"web\"]\nPolicy=ignroe\n"
		   "[Guest \"mail\"]\nPolicy=\n");
	assert_int_equal(load(world), 0);
	assert_int_equal(config_for_guest(&world->config, "web").policy, POLICY_PAUSE);
	assert_int_equal(config_for_guest(&world->config, "mail").policy, POLICY_PAUSE);
	assert_int_equal(config_for_guest(&world->config, "other").policy, POLICY_IGNORE);
	assert_non_null(strstr(
		world->warnings,
		":4: Policy: 'ignroe' is not one of: suspend, pause, ignore; it counts as pause"));
	assert_int_equal(world->config.problems.n, 2);
}

static void a_key_before_the_first_section_is_a_problem(void **state)
{
	struct world *world = *state;

	write_file(world, "", "Deadline=20s\n");
	assert_int_equal(load(world), 0);
	assert_non_null(strstr(world->warnings, ":1: Deadline: must follow a [Section]"));
	assert_int_equal(world->config.problems.n, 1);
	assert_int_equal(world->config.deadline_us, 30000000);
}

/* A guest's name can be longer than any section that libinih keeps. */
static void a_section_may_name_a_guest_of_any_length(void **state)
{
	struct world *world = *state;
	char name[1200], text[1500];

	for (size_t length = 1; length < sizeof(name); length += 13) {
		memset(name, 'a', length);
		name[length] = '\0';
		snprintf(text, sizeof(text), "[Guest \"%s\"]\nPolicy=ignore\n", name);
		write_file(world, "", text);
		forget(world);
		assert_int_equal(load(world), 0);
		assert_string_equal(world->warnings, "");
		assert_int_equal(config_for_guest(&world->config, name).policy, POLICY_IGNORE);
		name[length - 1] = 'b';
		assert_int_equal(config_for_guest(&world->config, name).policy, POLICY_SUSPEND);
	}
}

static void garbage_gives_the_defaults_and_bounded_problems(void **state)
{
	static const char good[] = "\n[Coordinator]\nKeepReports=9\n";
	struct world *world = *state;
	FILE *file = fopen(world->path, "w");
	unsigned int random = 1;

	assert_non_null(file);
	for (size_t i = 0; i < 100000; i++) {
		random = random * 1103515245u + 12345u;
		assert_true(fputc((int)(random >> 16 & 0xff), file) != EOF);
	}
	assert_true(fputs(good, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(load(world), 0);
	assert_int_equal(world->config.deadline_us, 30000000);
	assert_int_equal(world->config.keep_reports, 9);
	assert_int_equal(world->config.problems.n, 20);
	assert_int_equal(world->n_problems, 21);
	assert_non_null(strstr(world->warnings, " more problems\n"));
	for (const char *c = world->warnings; *c; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
}

/* ---- what cannot be read --------------------------------------------------- */

static void put_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0755), 0);
}

static void put_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0644), 0);
}

static void put_dangling_link(const char *path)
{
	assert_int_equal(symlink("/nonexistent/x", path), 0);
}

static void put_link_to_itself(const char *path)
{
	assert_int_equal(symlink(path, path), 0);
}

static void put_large_file(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(truncate(path, 1024 * 1024 * 1024), 0);
}

static void (*const obstacles[])(const char *path) = {
	put_directory, put_fifo, put_dangling_link, put_link_to_itself, put_large_file,
};

static void a_file_that_cannot_be_read_costs_only_itself(void **state)
{
	struct world *world = *state;

	write_file(world, "10.conf", "[Coordinator]\nKeepReports=9\n");
	for (size_t i = 0; i < ELEMENTSOF(obstacles); i++) {
		obstacles[i](world->path);
		forget(world);
		assert_true(load(world) < 0);
		assert_non_null(strstr(error_text(&world->error), world->path));
		assert_string_equal(world->config.problems.texts[0], error_text(&world->error));
		assert_int_equal(world->config.problems.n, 1);
		assert_int_equal(world->config.deadline_us, 30000000);
		assert_int_equal(world->config.keep_reports, 9);
		assert_int_equal(remove(world->path), 0);
	}
}

static void a_drop_in_that_cannot_be_read_costs_only_itself(void **state)
{
	struct world *world = *state;
	char path[160];

	write_file(world, "", "[Coordinator]\nDeadline=20s\n");
	write_file(world, "20.conf", "[Coordinator]\nKeepReports=9\n");
	snprintf(path, sizeof(path), "%s.d/10.conf", world->path);
	for (size_t i = 0; i < ELEMENTSOF(obstacles); i++) {
		obstacles[i](path);
		forget(world);
		assert_int_equal(load(world), 0);
		assert_non_null(strstr(world->warnings, path));
		assert_int_equal(world->config.problems.n, 1);
		assert_int_equal(world->config.deadline_us, 20000000);
		assert_int_equal(world->config.keep_reports, 9);
		assert_int_equal(remove(path), 0);
	}
}

static void a_drop_in_can_be_masked(void **state)
{
	struct world *world = *state;
	char path[160];

	write_file(world, "", "[Coordinator]\nDeadline=20s\n");
	snprintf(path, sizeof(path), "%s.d/10.conf", world->path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(load(world), 0);
	assert_string_equal(world->warnings, "");
}

static void warns_of_unknown_keys_and_sections(void **state)
{
	struct world *world = *state;
	char expected[512];

	write_file(world, "",
		   "[Coordinator]\nDeadLine=30s\nDeadline=31s\n[Agent]\nA=b\n"
		   "[Guest \"x\"]\nColour=red\n");
	assert_int_equal(load(world), 0);
	assert_int_equal(world->config.deadline_us, 31000000);
	snprintf(expected, sizeof(expected),
		 "%s:2: ignoring unknown key 'DeadLine'\n"
		 "%s:4: ignoring unknown section 'Agent'\n"
		 "%s:7: ignoring unknown key 'Colour'\n",
		 world->path, world->path, world->path);
	assert_string_equal(world->warnings, expected);
	assert_int_equal(world->n_problems, 0);
	assert_int_equal(world->config.problems.n, 0);
}

static void reads_drop_ins_in_the_order_of_their_names(void **state)
{
	struct world *world = *state;

	write_file(world, "", "[Coordinator]\nDeadline=1s\nKeepReports=3\n");
	write_file(world, "20-b.conf", "[Coordinator]\nDeadline=20s\n");
	write_file(world, "10-a.conf", "[Coordinator]\nDeadline=10s\nGuestTimeout=5s\n");
	write_file(world, "30-c.conf.bak", "[Coordinator]\nDeadline=30s\n");
	write_file(world, ".hidden.conf", "[Coordinator]\nDeadline=40s\n");
	assert_int_equal(load(world), 0);
	assert_int_equal(world->config.deadline_us, 20000000);
	assert_int_equal(world->config.guest_timeout_us, 5000000);
	assert_int_equal(world->config.keep_reports, 3);
}

static void reads_drop_ins_without_a_main_file(void **state)
{
	struct world *world = *state;

	write_file(world, "x.conf", "[Coordinator]\nDeadline=20s\n");
	assert_int_equal(load(world), -ENOENT);
	assert_int_equal(world->config.deadline_us, 20000000);
}

static bool suspends_before(const struct config *config, const char *name, const char *other)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct config_rule *rule = &config->rules[i];
		const char *rest = rule->suspend_before, *word;
		size_t length;

		if (!rest || !config_rule_matches(rule, name))
			continue;
		while ((length = config_next_name(&rest, &word)))
			if (length == strlen(other) && strncmp(word, other, length) == 0)
				return true;
	}
	return false;
}

static void a_bad_value_of_a_drop_in_costs_only_itself(void **state)
{
	struct world *world = *state;

	write_file(world, "", "[Coordinator]\nDeadline=20s\n[Guest \"a\"]\nPolicy=pause\n");
	write_file(world, "10.conf",
		   "[Coordinator]\nKeepReports=9\nDeadline=soon\n"
		   "[Guest \"a\"]\nPolicy=ignore\nSuspendBefore=b\n");
	write_file(world, "20.conf", "[Coordinator]\nGuestTimeout=5s\n");
	assert_int_equal(load(world), 0);
	assert_int_equal(world->config.deadline_us, 20000000);
	assert_int_equal(world->config.keep_reports, 9);
	assert_int_equal(world->config.guest_timeout_us, 5000000);
	assert_int_equal(config_for_guest(&world->config, "a").policy, POLICY_IGNORE);
	assert_true(suspends_before(&world->config, "a", "b"));
	assert_int_equal(world->n_problems, 1);
	assert_non_null(strstr(world->warnings, "/10.conf:3: Deadline: "));
}

static void the_last_matching_section_wins_key_by_key(void **state)
{
	struct world *world = *state;
	struct guest_config guest;

	write_file(world, "",
		   "[Guest \"*\"]\nTimeout=20s\nPolicy=pause\n"
		   "[Guest \"web-1*\"]\nPolicy=suspend\n"
		   "[Guest \"web-?\"]\nOnFailure=abort\n");
	assert_int_equal(load(world), 0);
	guest = config_for_guest(&world->config, "web-1");
	assert_int_equal(guest.policy, POLICY_SUSPEND);
	assert_int_equal(guest.timeout_us, 20000000);
	assert_int_equal(guest.on_failure, ON_FAILURE_ABORT);
	guest = config_for_guest(&world->config, "web-x");
	assert_int_equal(guest.policy, POLICY_PAUSE);
	assert_int_equal(guest.on_failure, ON_FAILURE_ABORT);
	guest = config_for_guest(&world->config, "other");
	assert_int_equal(guest.policy, POLICY_PAUSE);
	assert_int_equal(guest.on_failure, ON_FAILURE_PAUSE);
}

static void a_drop_in_wins_over_all_that_was_read_before(void **state)
{
	struct world *world = *state;
	struct guest_config guest;

	write_file(world, "",
		   "[Guest \"web\"]\nPolicy=suspend\nTimeout=3s\n"
		   "SuspendBefore=store\n"
		   "[Guest \"*\"]\nPolicy=ignore\n");
	write_file(world, "10.conf", "[Guest \"web\"]\nPolicy=pause\nSuspendBefore=disk\n");
	assert_int_equal(load(world), 0);
	guest = config_for_guest(&world->config, "web");
	assert_int_equal(guest.policy, POLICY_PAUSE);
	assert_int_equal(guest.timeout_us, 3000000);
	assert_true(suspends_before(&world->config, "web", "disk"));
	assert_false(suspends_before(&world->config, "web", "store"));
}

static void ignores_sections_of_another_form(void **state)
{
	static const char *const sections[] = {
		"[Guest \"web-[0-9]\"]", /* a section ends at the first ] */
		"[Guest \"\"]",		 "[Guest]", "[Guest web]", "[Guest \"web\" \"mail\"]",
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(sections); i++) {
		char text[128];

		snprintf(text, sizeof(text), "%s\nPolicy=pause\n", sections[i]);
		write_file(world, "", text);
		forget(world);
		assert_int_equal(load(world), 0);
		assert_non_null(strstr(world->warnings, ":1: Guest"));
		assert_int_equal(world->config.problems.n, 1);
		assert_int_equal(world->config.n_rules, 0);
	}
}

static void orders_guests_by_whole_names(void **state)
{
	static const struct {
		const char *name, *other;
		bool before;
	} cases[] = {
		{ "web-1", "store", true },   { "web-1", "disk", true },
		{ "web-1", "sto", false },    { "web-1", "stores", false },
		{ "store", "web-1", false },  { "mail", "store", false },
		{ "web-1", "store2", false }, { "web-1", "", false },
	};
	struct world *world = *state;

	write_file(world, "", "[Guest \"web-*\"]\nSuspendBefore=store disk\n");
	assert_int_equal(load(world), 0);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(suspends_before(&world->config, cases[i].name, cases[i].other),
				 cases[i].before);
}

/* A value that cannot be taken leaves that of an earlier section, key by key. */
static void a_bad_value_of_a_guest_leaves_the_earlier_one(void **state)
{
	struct world *world = *state;
	struct guest_config guest;

	write_file(world, "",
		   "[Guest \"*\"]\nOnFailure=abort\nTimeout=3s\n"
		   "[Guest \"web\"]\nOnFailure=stop\n"
		   "[Guest \"web\"]\nTimeout=later\n");
	assert_int_equal(load(world), 0);
	assert_int_equal(world->n_problems, 2);
	guest = config_for_guest(&world->config, "web");
	assert_int_equal(guest.on_failure, ON_FAILURE_ABORT);
	assert_int_equal(guest.timeout_us, 3000000);
	assert_int_equal(guest.policy, POLICY_SUSPEND);
	/* Keys of one pattern that follow each other are one rule. */
	assert_int_equal(world->config.n_rules, 2);
	assert_non_null(strstr(world->config.rules[0].where, "/pmcoord.conf:2"));
	assert_non_null(strstr(world->config.rules[1].where, "/pmcoord.conf:5"));
}

static void takes_the_limits_of_values(void **state)
{
	struct world *world = *state;

	write_file(world, "",
		   "[Coordinator]\nDeadline=1h\nGuestTimeout=1us\nKeepReports=1000000\n");
	assert_int_equal(load(world), 0);
	assert_string_equal(world->warnings, "");
	assert_int_equal(world->config.deadline_us, 3600000000);
	assert_int_equal(world->config.guest_timeout_us, 1);
	assert_int_equal(world->config.keep_reports, 1000000);
	write_file(world, "", "[Coordinator]\nKeepReports=0\nDeadline=99999999999999999999s\n");
	forget(world);
	assert_int_equal(load(world), 0);
	assert_int_equal(world->config.keep_reports, 0);
	assert_non_null(strstr(world->warnings, ":3: Deadline: "));
	assert_non_null(strstr(world->warnings, " is not between 1us and 1h\n"));
}

static void reports_as_many_problems_as_fit(void **state)
{
	struct world *world = *state;

	for (size_t n = 20; n <= 23; n++) {
		char text[1024] = "[Coordinator]\n", more[64];

		for (size_t i = 0; i < n; i++)
			strcat(text, "KeepReports=x\n");
		write_file(world, "", text);
		forget(world);
		assert_int_equal(load(world), 0);
		assert_int_equal(world->config.problems.n, 20);
		assert_int_equal(world->n_problems, n > 20 ? 21 : 20);
		snprintf(more, sizeof(more), "pmcoord.conf: %zu more problems\n", n - 20);
		assert_int_equal(strstr(world->warnings, more) != NULL, n > 20);
	}
}

/* A section of which each key is too many is a problem, and all others apply. */
static void takes_4096_sections(void **state)
{
	struct world *world = *state;
	FILE *file = fopen(world->path, "w");
	char expected[160];

	assert_non_null(file);
	for (unsigned int i = 1; i <= 4097; i++)
		fprintf(file, "[Guest \"g%u\"]\nPolicy=pause\n", i);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(load(world), 0);
	assert_int_equal(world->config.n_rules, 4096);
	assert_int_equal(config_for_guest(&world->config, "g1").policy, POLICY_PAUSE);
	assert_int_equal(config_for_guest(&world->config, "g4096").policy, POLICY_PAUSE);
	assert_int_equal(config_for_guest(&world->config, "g4097").policy, POLICY_SUSPEND);
	snprintf(expected, sizeof(expected),
		 "%s:8194: Policy: ignored, because there are too many sections\n", world->path);
	assert_string_equal(world->warnings, expected);
}

static void drop_ins_that_cannot_be_listed_are_a_problem(void **state)
{
	struct world *world = *state;
	char path[128], expected[256];

	write_file(world, "", "[Coordinator]\nDeadline=20s\n");
	snprintf(path, sizeof(path), "%s.d", world->path);
	snprintf(expected, sizeof(expected), "cannot read %s: Too many levels of symbolic links\n",
		 path);
	assert_int_equal(rmdir(path), 0);
	/* There need be none. */
	assert_int_equal(load(world), 0);
	assert_string_equal(world->warnings, "");
	assert_int_equal(symlink(path, path), 0);
	forget(world);
	assert_int_equal(load(world), 0);
	assert_string_equal(world->warnings, expected);
	assert_int_equal(world->config.problems.n, 1);
	assert_int_equal(world->config.deadline_us, 20000000);
	assert_int_equal(unlink(path), 0);
	put_large_file(path);
	forget(world);
	assert_int_equal(load(world), 0);
	assert_string_equal(world->warnings, "");
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(works_without_a_file),
		world_test(reads_every_key),
		world_test(reports_file_line_key_and_problem),
		world_test(a_bad_line_costs_only_itself),
		world_test(a_bad_policy_counts_as_pause),
		world_test(a_key_before_the_first_section_is_a_problem),
		world_test(a_section_may_name_a_guest_of_any_length),
		world_test(garbage_gives_the_defaults_and_bounded_problems),
		world_test(a_file_that_cannot_be_read_costs_only_itself),
		world_test(a_drop_in_that_cannot_be_read_costs_only_itself),
		world_test(a_drop_in_can_be_masked),
		world_test(warns_of_unknown_keys_and_sections),
		world_test(reads_drop_ins_in_the_order_of_their_names),
		world_test(reads_drop_ins_without_a_main_file),
		world_test(a_bad_value_of_a_drop_in_costs_only_itself),
		world_test(the_last_matching_section_wins_key_by_key),
		world_test(a_drop_in_wins_over_all_that_was_read_before),
		world_test(ignores_sections_of_another_form),
		world_test(orders_guests_by_whole_names),
		world_test(a_bad_value_of_a_guest_leaves_the_earlier_one),
		world_test(takes_the_limits_of_values),
		world_test(reports_as_many_problems_as_fit),
		world_test(takes_4096_sections),
		world_test(drop_ins_that_cannot_be_listed_are_a_problem),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
