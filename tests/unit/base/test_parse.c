/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

static void reads_durations_with_units(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t us;
	} cases[] = {
		{ "30s", 0, 30000000 },
		{ "30", 0, 30000000 },
		{ "500ms", 0, 500000 },
		{ "2 min", 0, 120000000 },
		{ "1h", 0, 3600000000ull },
		{ "7us", 0, 7 },
		{ "0", 0, 0 },
		{ "", -EINVAL, 99 },
		{ "s", -EINVAL, 99 },
		{ "-1s", -EINVAL, 99 },
		{ "1.5s", -EINVAL, 99 },
		{ "30 seconds", -EINVAL, 99 },
		{ "30s ", -EINVAL, 99 },
		{ "99999999999999999999s", -ERANGE, 99 },
		{ "18446744073709551615h", -ERANGE, 99 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		uint64_t us = 99;

		assert_int_equal(parse_duration(cases[i].text, &us), cases[i].r);
		assert_true(us == cases[i].us);
	}
}

static void refuses_numbers_out_of_bounds(void **state)
{
	uint64_t value = 5;

	(void)state;
	assert_int_equal(parse_u64("10", 10, &value), 0);
	assert_true(value == 10);
	assert_int_equal(parse_u64("11", 10, &value), -ERANGE);
	assert_int_equal(parse_u64("9", 8, &value), -ERANGE);
	assert_int_equal(parse_u64("18446744073709551615", UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", UINT64_MAX, &value), -ERANGE);
	assert_int_equal(parse_u64("", 10, &value), -EINVAL);
	assert_int_equal(parse_u64("1x", 10, &value), -EINVAL);
}

static void replaces_control_characters(void **state)
{
	char out[64];

	(void)state;
	text_sanitize("a\033[2Jb\n", 7, out, sizeof(out));
	assert_string_equal(out, "a?[2Jb?");
	text_sanitize("caf\xc3\xa9", 5, out, sizeof(out));
	assert_string_equal(out, "caf\xc3\xa9");
	/* truncated sequence, overlong form, surrogate, C1 control */
	text_sanitize("\xc3", 1, out, sizeof(out));
	assert_string_equal(out, "?");
	text_sanitize("\xc0\xaf", 2, out, sizeof(out));
	assert_string_equal(out, "??");
	text_sanitize("\xed\xa0\x80", 3, out, sizeof(out));
	assert_string_equal(out, "???");
	text_sanitize("\xc2\x9b", 2, out, sizeof(out));
	assert_string_equal(out, "??");
}

static void cuts_between_characters(void **state)
{
	char out[4];

	(void)state;
	text_sanitize("ab\xc3\xa9", 4, out, sizeof(out));
	assert_string_equal(out, "ab");
	text_sanitize("abcdef", 6, out, sizeof(out));
	assert_string_equal(out, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_durations_with_units),
		cmocka_unit_test(refuses_numbers_out_of_bounds),
		cmocka_unit_test(replaces_control_characters),
		cmocka_unit_test(cuts_between_characters),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
