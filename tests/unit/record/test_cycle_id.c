/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "model/inventory.h"
#include "host/roots.h"
#include "record/cycle-id.h"
#include "tests/unit/tree.h"

static char directory[] = "/tmp/pmcoord-cycle-XXXXXX";
static struct roots roots;

static int start(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/pmcoord-cycle-XXXXXX");
	if (!mkdtemp(directory) || roots_init_simulation(directory, &roots) < 0)
		return -1;
	return directory_make(roots.journals) + directory_make(roots.reports) +
	       directory_make(roots.unsaved_reports);
}

static int stop(void **state)
{
	(void)state;
	roots_done(&roots);
	return tree_remove_all(directory);
}

static void write_file(const char *where, const char *name, const char *text)
{
	char path[192];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", where, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Returns the next number if a guest's agent has a request of cycle `requested` (0: none). */
static uint64_t next(uint64_t requested)
{
	struct guest guests[2] = { 0 };
	struct inventory inventory = { .guests = guests, .n_guests = 2 };

	guests[1].agent.request.cycle = requested;
	return cycle_id_next(&roots, &inventory);
}

static void follows_the_greatest_number_that_is_known(void **state)
{
	static const struct {
		const char *stored; /* NULL: there is no such file */
		const char *journal, *report, *unsaved;
		uint64_t requested, expected;
	} cases[] = {
		{ NULL, NULL, NULL, NULL, 0, 1 },
		{ "7\n", NULL, NULL, NULL, 0, 8 },
		{ "7", NULL, NULL, NULL, 0, 8 },
		{ "7\n", "9", NULL, NULL, 0, 10 },
		{ "7\n", "6", NULL, NULL, 0, 8 },
		{ "7\n", NULL, "9.json", NULL, 0, 10 },
		{ "7\n", NULL, "6.json", NULL, 0, 8 },
		{ "7\n", NULL, "6.json", "11.json", 0, 12 },
		{ "7\n", "13", "9.json", "11.json", 0, 14 },
		/* A request for the next number was written ahead of time for this cycle. */
		{ "7\n", NULL, NULL, NULL, 7, 8 },
		{ "7\n", NULL, NULL, NULL, 8, 8 },
		{ "7\n", NULL, NULL, NULL, 9, 10 },
		{ "7\n", NULL, NULL, NULL, UINT64_MAX, 8 },
		{ "7\n", NULL, NULL, NULL, UINT64_MAX - 1, UINT64_MAX },
		/* A damaged file, and numbers after which none is left. */
		{ "seven\n", "5", NULL, NULL, 0, 6 },
		{ "", "5", NULL, NULL, 0, 6 },
		{ "18446744073709551613\n", NULL, NULL, NULL, 0, UINT64_MAX - 1 },
		{ "18446744073709551614\n", NULL, NULL, NULL, 0, 1 },
		{ "18446744073709551615\n", NULL, NULL, NULL, 0, 1 },
		{ NULL, "9223372036854775806", NULL, NULL, 0, INT64_MAX },
		{ NULL, "9223372036854775807", NULL, NULL, 0, 1 },
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		if (cases[i].stored)
			write_file(roots.run, "last-cycle", cases[i].stored);
		if (cases[i].journal)
			write_file(roots.journals, cases[i].journal, "");
		if (cases[i].report)
			write_file(roots.reports, cases[i].report, "");
		if (cases[i].unsaved)
			write_file(roots.unsaved_reports, cases[i].unsaved, "");
		if (next(cases[i].requested) != cases[i].expected)
			fail_msg("case %zu: %" PRIu64, i, next(cases[i].requested));
		assert_int_equal(stop(state), 0);
		assert_int_equal(start(state), 0);
	}
}

static void a_stored_number_is_not_used_again(void **state)
{
	(void)state;
	assert_int_equal(cycle_id_store(&roots, 41), 0);
	assert_int_equal(next(0), 42);
	/* A shorter number leaves nothing of the one before. */
	assert_int_equal(cycle_id_store(&roots, 8), 0);
	assert_int_equal(next(0), 9);
}

static void reports_that_a_number_cannot_be_stored(void **state)
{
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/last-cycle", roots.run);
	assert_int_equal(symlink("/dev/full", path), 0);
	assert_int_equal(cycle_id_store(&roots, 41), -ENOSPC);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(cycle_id_store(&roots, 41), -EISDIR);
	assert_int_equal(next(0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(follows_the_greatest_number_that_is_known, start,
						stop),
		cmocka_unit_test_setup_teardown(a_stored_number_is_not_used_again, start, stop),
		cmocka_unit_test_setup_teardown(reports_that_a_number_cannot_be_stored, start,
						stop),
	};

	return cmocka_run_group_tests_name("cycle-id", tests, NULL, NULL);
}
