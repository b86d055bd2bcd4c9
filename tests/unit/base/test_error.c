/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"

static void an_errno_alone_has_no_outcome(void **state)
{
	(void)state;
	for (int number = 1; number < 200; number++) {
		struct error error = { 0 };

		assert_int_equal(error_set(&error, -number, "no"), -number);
		assert_int_equal(error.outcome, OUTCOME_UNEXPECTED);
	}
}

static void each_outcome_has_an_errno(void **state)
{
	static const struct {
		enum error_outcome outcome;
		int number;
	} cases[] = {
		{ OUTCOME_USAGE, -EINVAL },
		{ OUTCOME_NOT_FOUND, -ENOENT },
		{ OUTCOME_UNSUPPORTED, -EOPNOTSUPP },
		{ OUTCOME_NOT_PERMITTED, -EPERM },
		{ OUTCOME_BUSY, -EBUSY },
		{ OUTCOME_UNRECOVERABLE, -ENOTRECOVERABLE },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };

		assert_int_equal(error_refuse(&error, cases[i].outcome, "no %d", 1),
				 cases[i].number);
		assert_int_equal(error_refuse(NULL, cases[i].outcome, "no"), cases[i].number);
		assert_int_equal(error.number, cases[i].number);
		assert_int_equal(error.outcome, cases[i].outcome);
		assert_string_equal(error.text, "no 1");
	}
}

static void keeps_the_first_error(void **state)
{
	struct error error = { 0 };

	(void)state;
	error_refuse(&error, OUTCOME_BUSY, "first");
	assert_int_equal(error_set(&error, -EIO, "second"), -EIO);
	assert_int_equal(error_refuse(&error, OUTCOME_USAGE, "third"), -EINVAL);
	assert_int_equal(error.number, -EBUSY);
	assert_int_equal(error.outcome, OUTCOME_BUSY);
	assert_string_equal(error_text(&error), "first");
	error_replace(&error, -EIO, "better");
	assert_int_equal(error.outcome, OUTCOME_UNEXPECTED);
	assert_string_equal(error_text(&error), "better");
}

static void marks_an_outcome_once(void **state)
{
	struct error error = { 0 };

	(void)state;
	error_mark(NULL, -EACCES, OUTCOME_NOT_PERMITTED);
	error_mark(&error, -EACCES, OUTCOME_NOT_PERMITTED);
	assert_int_equal(error.outcome, OUTCOME_UNEXPECTED);
	error_set(&error, -EACCES, "no");
	error_mark(&error, -EPERM, OUTCOME_USAGE);
	assert_int_equal(error.outcome, OUTCOME_UNEXPECTED);
	error_mark(&error, -EACCES, OUTCOME_NOT_PERMITTED);
	error_mark(&error, -EACCES, OUTCOME_USAGE);
	assert_int_equal(error.outcome, OUTCOME_NOT_PERMITTED);
}

/* A caller that returns -errno must not report success because errno is 0. */
static void a_failure_without_errno_is_a_failure(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_int_equal(error_set(NULL, 0, "no"), -EIO);
	assert_int_equal(error_set(&error, 0, "no"), -EIO);
	assert_int_equal(error.number, -EIO);
	error = (struct error){ 0 };
	assert_int_equal(error_replace(&error, 0, "no"), -EIO);
	assert_int_equal(error.number, -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_errno_alone_has_no_outcome),
		cmocka_unit_test(each_outcome_has_an_errno),
		cmocka_unit_test(keeps_the_first_error),
		cmocka_unit_test(marks_an_outcome_once),
		cmocka_unit_test(a_failure_without_errno_is_a_failure),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
