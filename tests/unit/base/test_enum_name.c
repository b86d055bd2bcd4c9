/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"

enum fruit {
	APPLE,
	NAMELESS,
	PEAR,
};

static const char *const names[] = {
	[APPLE] = "apple",
	[PEAR] = "pear",
};
ENUM_COMPLETE(names, PEAR);

static void names_each_value(void **state)
{
	(void)state;
	assert_string_equal(ENUM_NAME(names, APPLE), "apple");
	assert_string_equal(ENUM_NAME(names, PEAR), "pear");
}

static void an_unknown_value_is_a_question_mark(void **state)
{
	static const int others[] = { NAMELESS, PEAR + 1, 1000, -1, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(others); i++)
		assert_string_equal(ENUM_NAME(names, (enum fruit)others[i]), "?");
}

static void finds_the_value_of_a_name(void **state)
{
	static const char *const others[] = { "", "?", "appl", "apples", "Pear" };

	(void)state;
	assert_int_equal(ENUM_PARSE(names, "apple"), APPLE);
	assert_int_equal(ENUM_PARSE(names, "pear"), PEAR);
	for (size_t i = 0; i < ELEMENTSOF(others); i++)
		assert_int_equal(ENUM_PARSE(names, others[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_each_value),
		cmocka_unit_test(an_unknown_value_is_a_question_mark),
		cmocka_unit_test(finds_the_value_of_a_name),
	};

	return cmocka_run_group_tests_name("enum name", tests, NULL, NULL);
}
