/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "host/roots.h"
#include "record/answers.h"
#include "tests/unit/tree.h"

#define UUID "01000000-0000-0000-0000-000000000000"

static char directory[] = "/tmp/pmcoord-answers-XXXXXX";
static struct roots roots;

static int start(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/pmcoord-answers-XXXXXX");
	return mkdtemp(directory) ? roots_init_simulation(directory, &roots) : -1;
}

static int stop(void **state)
{
	(void)state;
	roots_done(&roots);
	return tree_remove_all(directory);
}

static void write_file(const char *text)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(fclosep) FILE *file = NULL;

	assert_true(asprintf(&path, "%s/answers", roots.run) > 0);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

/* Returns the contents of a file in /run, or "(none)". */
static const char *read_file(const char *name)
{
	static char text[512];
	_cleanup_(freep) char *path = NULL;
	_cleanup_(fclosep) FILE *file = NULL;

	assert_true(asprintf(&path, "%s/%s", roots.run, name) > 0);
	file = fopen(path, "re");
	if (!file)
		return "(none)";
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	return text;
}

static struct guest make_guest(uint32_t domid, enum guest_feature feature)
{
	return (struct guest){
		.domid = domid, .uuid = { 1 }, .name = "g", .feature_suspend = feature
	};
}

static void counts_what_is_missing(void **state)
{
	static const struct {
		const char *text;
		unsigned int missed, n;
		bool is_missing;
	} cases[] = {
		{ "", 0, 0, false },
		{ "7 " UUID " 0 00\n", 2, 2, false },
		{ "7 " UUID " 0 000\n", 3, 3, true },
		{ "7 " UUID " 0 0001\n", 3, 4, false },
		{ "7 " UUID " 0 1111111000\n", 3, 10, true },
		/* Another domain, another kernel. */
		{ "8 " UUID " 0 000\n", 0, 0, false },
		{ "7 02000000-0000-0000-0000-000000000000 0 000\n", 0, 0, false },
		{ "7 " UUID " 2 000\n", 0, 0, false },
		{ "7 " UUID " 2 000\n7 " UUID " 0 00\n", 2, 2, false },
		/* Damaged lines are left out. */
		{ "7 " UUID " 9 000\n", 0, 0, false },
		{ "7 " UUID " 0 abc\n", 0, 0, false },
		{ "\n\nseven\n7 " UUID " 0 000\n7", 3, 3, true },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct guest guest = make_guest(7, GUEST_FEATURE_UNKNOWN);
		struct answers answers;
		unsigned int missed = 99, n = 99;

		write_file(cases[i].text);
		answers = answers_load(&roots);
		assert_int_equal(answers_are_missing(&answers, &guest, &missed, &n),
				 cases[i].is_missing);
		assert_int_equal(missed, cases[i].missed);
		assert_int_equal(n, cases[i].n);
		answers_done(&answers);
	}
}

/* Ahead of a cycle that only /run can slow down, nothing is a condition. */
static void shortens_only_the_timeouts_of_guests_that_never_answer(void **state)
{
	struct inventory inventory = { 0 };
	struct guest silent = make_guest(7, GUEST_FEATURE_UNKNOWN);
	struct guest other = make_guest(8, GUEST_FEATURE_UNKNOWN);
	struct config config;
	struct plan plan;

	(void)state;
	config_init(&config);
	other.uuid[0] = 2;
	write_file("7 " UUID " 0 0000\n");
	assert_int_equal(inventory_add_guest(&inventory, &silent), 0);
	assert_int_equal(inventory_add_guest(&inventory, &other), 0);
	assert_int_equal(inventory_finish(&inventory), 0);
	assert_int_equal(plan_make(&inventory, &config, NULL, true, &plan), 0);
	answers_shorten_timeouts(&roots, &plan);
	for (size_t i = 0; i < plan.n_steps; i++) {
		uint32_t domid = plan.inventory.guests[plan.steps[i].guest].domid;

		assert_int_equal(plan.steps[i].timeout_us,
				 domid == 7 ? ANSWERS_TIMEOUT_US : config.guest_timeout_us);
	}
	plan_done(&plan);
	config_done(&config);
}

/* ---- after a cycle -------------------------------------------------------- */

/* Makes the plan of guest 7, and of guest 8 if there is a second guest. */
static void make_plan(struct inventory *inventory, struct config *config,
		      enum guest_feature feature, unsigned int n_guests, struct plan *plan)
{
	*inventory = (struct inventory){ 0 };
	config_init(config);
	for (unsigned int i = 0; i < n_guests; i++) {
		struct guest guest = make_guest(7 + i, feature);

		guest.uuid[0] = (uint8_t)(1 + i);
		assert_int_equal(inventory_add_guest(inventory, &guest), 0);
	}
	assert_int_equal(inventory_finish(inventory), 0);
	assert_int_equal(plan_make(inventory, config, NULL, true, plan), 0);
}

/* A guest of a cycle that was requested through xenstore, and whose outcome is this. */
static struct cycle_guest requested(enum cycle_outcome outcome)
{
	return (struct cycle_guest){ .mechanism = MECHANISM_XENSTORE, .outcome = outcome };
}

static void remember(const struct plan *plan, struct cycle_guest *guests, size_t n_guests)
{
	struct cycle cycle = { .guests = guests, .n_guests = n_guests };

	answers_update(&roots, plan, &cycle);
}

static void remembers_what_a_cycle_has_shown(void **state)
{
	static const struct {
		const char *before; /* the answers so far */
		struct cycle_guest shown;
		const char *after;
	} cases[] = {
		{ "", { .outcome = OUTCOME_PAUSED }, "0" },
		{ "", { .outcome = OUTCOME_FAILED }, "0" },
		{ "", { .outcome = OUTCOME_SUSPENDED }, "" },
		{ "01", { .outcome = OUTCOME_PAUSED }, "010" },
		{ "01", { .outcome = OUTCOME_SUSPENDED }, "011" },
		{ "01", { .outcome = OUTCOME_PAUSED, .acknowledged = true }, "011" },
		/* What tells nothing about the guest. */
		{ "01", { .outcome = OUTCOME_SKIPPED }, "01" },
		{ "01", { .outcome = OUTCOME_PENDING }, "01" },
		{ "01", { .outcome = OUTCOME_PAUSED, .mechanism = MECHANISM_AGENT }, "01" },
		{ "01", { .outcome = OUTCOME_PAUSED, .requested_us = CYCLE_NEVER }, "01" },
		{ "01", { .outcome = OUTCOME_FAILED, .gone = GUEST_CRASHED }, "01" },
		{ "01", { .outcome = OUTCOME_FAILED, .taken = true }, "01" },
		/* Ten cycles are remembered. A guest that has answered them all is forgotten. */
		{ "011111111", { .outcome = OUTCOME_PAUSED }, "0111111110" },
		{ "0111111101", { .outcome = OUTCOME_PAUSED }, "1111111010" },
		{ "0111111111", { .outcome = OUTCOME_SUSPENDED }, "" },
	};
	static const enum guest_feature features[] = { GUEST_FEATURE_UNKNOWN, GUEST_FEATURE_YES };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases) * ELEMENTSOF(features); i++) {
		enum guest_feature feature = features[i % ELEMENTSOF(features)];
		struct cycle_guest shown = cases[i / ELEMENTSOF(features)].shown;
		const char *before = cases[i / ELEMENTSOF(features)].before;
		const char *after = cases[i / ELEMENTSOF(features)].after;
		struct inventory inventory;
		struct config config;
		struct plan plan;
		char text[128] = "", expected[128] = "(none)";

		if (shown.mechanism == 0)
			shown.mechanism = MECHANISM_XENSTORE;
		if (before[0])
			snprintf(text, sizeof(text), "7 " UUID " %d %s\n", (int)feature, before);
		if (after[0])
			snprintf(expected, sizeof(expected), "7 " UUID " %d %s\n", (int)feature,
				 after);
		write_file(text);
		make_plan(&inventory, &config, feature, 1, &plan);
		remember(&plan, &shown, 1);
		/* An empty file is as good as none. */
		if (strcmp(read_file("answers"), expected) != 0 && (before[0] || after[0]))
			fail_msg("case %zu: '%s'", i, read_file("answers"));
		assert_string_equal(read_file("answers.new"), "(none)");
		plan_done(&plan);
		config_done(&config);
	}
}

static void remembers_each_guest_of_the_plan_and_no_other(void **state)
{
	struct cycle_guest shown[3];
	struct inventory inventory;
	struct config config;
	struct plan plan;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(shown); i++)
		shown[i] = requested(OUTCOME_PAUSED);
	make_plan(&inventory, &config, GUEST_FEATURE_UNKNOWN, 2, &plan);
	/* The third has appeared during the cycle. */
	remember(&plan, shown, 3);
	assert_string_equal(read_file("answers"),
			    "7 " UUID " 0 0\n8 02000000-0000-0000-0000-000000000000 0 0\n");
	/* A cycle that ended before it has recorded all guests. */
	remember(&plan, shown, 1);
	assert_string_equal(read_file("answers"), "7 " UUID " 0 00\n");
	plan_done(&plan);
	config_done(&config);
}

/* Whatever cannot be written, the file is the old one or the new one. */
static void a_full_disk_leaves_the_old_answers(void **state)
{
	static const char *const obstacles[] = {
		"rm -f %s/answers.new && ln -s /dev/full %s/answers.new",
		"rm -f %s/answers.new && mkdir %s/answers.new"
	};
	struct cycle_guest shown = requested(OUTCOME_PAUSED);
	struct inventory inventory;
	struct config config;
	struct plan plan;

	(void)state;
	write_file("7 " UUID " 0 01\n");
	make_plan(&inventory, &config, GUEST_FEATURE_UNKNOWN, 1, &plan);
	for (size_t i = 0; i < ELEMENTSOF(obstacles); i++) {
		char command[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(command, sizeof(command), obstacles[i], roots.run, roots.run);
#pragma GCC diagnostic pop
		assert_int_equal(system(command), 0);
		remember(&plan, &shown, 1);
		assert_string_equal(read_file("answers"), "7 " UUID " 0 01\n");
		if (i == 0)
			assert_string_equal(read_file("answers.new"), "(none)");
	}
	plan_done(&plan);
	config_done(&config);
}

static void what_cannot_be_renamed_is_removed(void **state)
{
	struct cycle_guest shown = requested(OUTCOME_PAUSED);
	struct inventory inventory;
	struct config config;
	struct plan plan;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/answers", roots.run);
	assert_int_equal(mkdir(path, 0700), 0);
	make_plan(&inventory, &config, GUEST_FEATURE_UNKNOWN, 1, &plan);
	remember(&plan, &shown, 1);
	assert_string_equal(read_file("answers.new"), "(none)");
	plan_done(&plan);
	config_done(&config);
}

/* Steps that do not wait for a request through xenstore, or not for long, stay as they are. */
static void shortens_no_other_timeouts(void **state)
{
	struct inventory inventory;
	struct config config;
	struct plan plan;

	(void)state;
	write_file("7 " UUID " 0 0000\n");
	make_plan(&inventory, &config, GUEST_FEATURE_UNKNOWN, 1, &plan);
	plan.steps[0].timeout_us = ANSWERS_TIMEOUT_US - 1;
	answers_shorten_timeouts(&roots, &plan);
	assert_int_equal(plan.steps[0].timeout_us, ANSWERS_TIMEOUT_US - 1);
	plan.steps[0].timeout_us = ANSWERS_TIMEOUT_US + 1;
	plan.steps[0].mechanism = MECHANISM_AGENT;
	answers_shorten_timeouts(&roots, &plan);
	assert_int_equal(plan.steps[0].timeout_us, ANSWERS_TIMEOUT_US + 1);
	plan.steps[0].mechanism = MECHANISM_XENSTORE;
	answers_shorten_timeouts(&roots, &plan);
	assert_int_equal(plan.steps[0].timeout_us, ANSWERS_TIMEOUT_US);
	plan_done(&plan);
	config_done(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_what_is_missing, start, stop),
		cmocka_unit_test_setup_teardown(
			shortens_only_the_timeouts_of_guests_that_never_answer, start, stop),
		cmocka_unit_test_setup_teardown(remembers_what_a_cycle_has_shown, start, stop),
		cmocka_unit_test_setup_teardown(remembers_each_guest_of_the_plan_and_no_other,
						start, stop),
		cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_answers, start, stop),
		cmocka_unit_test_setup_teardown(what_cannot_be_renamed_is_removed, start, stop),
		cmocka_unit_test_setup_teardown(shortens_no_other_timeouts, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
