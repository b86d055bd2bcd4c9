/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_what_is_missing, start, stop),
		cmocka_unit_test_setup_teardown(
			shortens_only_the_timeouts_of_guests_that_never_answer, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
