/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/numbered-files.h"
#include "tests/unit/tree.h"

static char directory[] = "/tmp/pmcoord-numbered-XXXXXX";

static void make_file(const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fclose(file);
}

/* Are exactly these listed, in this order? */
static void assert_lists(const char *suffix, uint64_t max, int n, const uint64_t *expected)
{
	uint64_t *numbers = NULL;

	assert_int_equal(numbered_files_list(directory, suffix, max, &numbers), n);
	for (int i = 0; i < n; i++)
		assert_int_equal(numbers[i], expected[i]);
	free(numbers);
}

static void lists_files_in_the_order_of_their_numbers(void **state)
{
	static const char *const names[] = {
		"10",	  "9",	     "100",  "2.json",	 "11.json",   "3.json~", ".json",
		"0.json", "07.json", "0",    "-1",	 "+1",	      " 1",	 "1 ",
		"x1",	  "5.bad",   ".new", "1.json.x", "0x10.json", "",
	};

	(void)state;
	for (size_t i = 0; names[i][0]; i++)
		make_file(names[i]);
	assert_lists("", UINT64_MAX, 3, (uint64_t[]){ 9, 10, 100 });
	assert_lists("", 99, 2, (uint64_t[]){ 9, 10 });
	assert_lists(".json", INT64_MAX, 2, (uint64_t[]){ 2, 11 });
	assert_lists(".none", INT64_MAX, 0, NULL);
}

static void ignores_numbers_out_of_range(void **state)
{
	(void)state;
	make_file("18446744073709551615.far");
	make_file("18446744073709551616.far");
	make_file("118446744073709551615.far");
	assert_lists(".far", UINT64_MAX, 1, (uint64_t[]){ UINT64_MAX });
	assert_lists(".far", INT64_MAX, 0, NULL);
}

static void a_missing_directory_is_empty_and_a_file_is_an_error(void **state)
{
	uint64_t *numbers = (uint64_t *)directory;
	char path[128];

	(void)state;
	assert_int_equal(numbered_files_list("/nonexistent/x", "", UINT64_MAX, &numbers), 0);
	assert_null(numbers);
	make_file("9");
	snprintf(path, sizeof(path), "%s/9", directory);
	assert_int_equal(numbered_files_list(path, "", UINT64_MAX, &numbers), -ENOTDIR);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{

	(void)state;
	return tree_remove_all(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_files_in_the_order_of_their_numbers),
		cmocka_unit_test(ignores_numbers_out_of_range),
		cmocka_unit_test(a_missing_directory_is_empty_and_a_file_is_an_error),
	};

	return cmocka_run_group_tests_name("numbered files", tests, make_directory,
					   remove_directory);
}
