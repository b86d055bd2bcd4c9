/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/deadlines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_empty_set_has_no_next_deadline(void **state)
{
	struct deadlines *nobody = deadlines_new(0);
	struct deadlines *idle = deadlines_new(3);

	(void)state;
	assert_int_equal(deadlines_next(nobody, NULL), DEADLINE_NEVER);
	assert_int_equal(deadlines_next(idle, NULL), DEADLINE_NEVER);
	deadlines_free(nobody);
	deadlines_free(idle);
}

static void the_first_item_of_equal_deadlines_is_next(void **state)
{
	struct deadlines *deadlines = deadlines_new(4);
	size_t item = 0;

	(void)state;
	deadlines_set(deadlines, 3, 10);
	deadlines_set(deadlines, 1, 10);
	deadlines_set(deadlines, 2, 11);
	assert_int_equal(deadlines_next(deadlines, &item), 10);
	assert_int_equal(item, 1);
	deadlines_set(deadlines, 1, DEADLINE_NEVER);
	assert_int_equal(deadlines_next(deadlines, &item), 10);
	assert_int_equal(item, 3);
	deadlines_free(deadlines);
}

/* Compares it with a search through all, while deadlines are set, moved and removed. */
static void finds_the_next_of_many_deadlines(void **state)
{
	enum { N = 37 };
	struct deadlines *deadlines = deadlines_new(N);
	uint64_t at_us[N];
	size_t item = 0;

	(void)state;
	for (size_t i = 0; i < N; i++)
		at_us[i] = DEADLINE_NEVER;
	srand(1);
	for (int round = 0; round < 5000; round++) {
		size_t changed = (size_t)rand() % N, first = 0;

		at_us[changed] = rand() % 3 ? (uint64_t)rand() % 50 : DEADLINE_NEVER;
		deadlines_set(deadlines, changed, at_us[changed]);
		for (size_t i = 1; i < N; i++)
			if (at_us[i] < at_us[first])
				first = i;
		assert_int_equal(deadlines_next(deadlines, &item), at_us[first]);
		assert_int_equal(item, first);
		assert_int_equal(deadlines_get(deadlines, changed), at_us[changed]);
	}
	deadlines_free(deadlines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_set_has_no_next_deadline),
		cmocka_unit_test(the_first_item_of_equal_deadlines_is_next),
		cmocka_unit_test(finds_the_next_of_many_deadlines),
	};

	return cmocka_run_group_tests_name("deadlines", tests, NULL, NULL);
}
