/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/segments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct search {
	uintptr_t address;
	struct segment found;
	size_t n_found;
};

static void look_for(void *data, const struct segment *segment)
{
	struct search *search = data;

	if (search->address < segment->start || search->address - segment->start >= segment->length)
		return;
	search->found = *segment;
	search->n_found++;
}

static struct segment find(const void *address)
{
	struct search search = { .address = (uintptr_t)address };

	segments_each(look_for, &search);
	assert_int_equal(search.n_found, 1);
	return search.found;
}

static int written_to = 1;
static const int only_read[] = { 1, 2 };

static void finds_the_program_and_its_libraries(void **state)
{
	struct segment segment = find(&written_to);

	(void)state;
	assert_string_equal(segment.path, "");
	assert_true(segment.is_readable && segment.is_writable);
	segment = find(only_read);
	assert_string_equal(segment.path, "");
	assert_true(segment.is_readable && !segment.is_writable);
	segment = find((const void *)(uintptr_t)cmocka_set_message_output);
	assert_non_null(strstr(segment.path, "/libcmocka.so"));
	assert_true(segment.is_readable && !segment.is_writable);
}

static void finds_no_segment_of_the_heap(void **state)
{
	void *allocated = malloc(1);
	struct search search = { .address = (uintptr_t)allocated };

	(void)state;
	segments_each(look_for, &search);
	assert_int_equal(search.n_found, 0);
	free(allocated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_program_and_its_libraries),
		cmocka_unit_test(finds_no_segment_of_the_heap),
	};

	return cmocka_run_group_tests_name("segments", tests, NULL, NULL);
}
