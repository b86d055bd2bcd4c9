/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/cycle.h"
#include "record/followers.h"
#include "tests/unit/tree.h"

/* A directory of journals, and how often a record of each was passed to the observer. */
struct world {
	char directory[64];
	struct followers followers;
	unsigned int seen[10];
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	snprintf(world->directory, sizeof(world->directory), "/tmp/pmcoord-follow-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	world->followers.directory = world->directory;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	followers_done(&world->followers);
	assert_int_equal(world->followers.n_journals, 0);
	assert_int_equal(tree_remove_all(world->directory), 0);
	free(world);
	return 0;
}

static void path_of(const struct world *world, unsigned int number, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%u", world->directory, number);
}

static void append(const struct world *world, unsigned int number, const char *text)
{
	char path[96];
	FILE *file;

	path_of(world, number, path, sizeof(path));
	file = fopen(path, "ae");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void begin(const struct world *world, unsigned int number)
{
	char head[64];

	snprintf(head, sizeof(head), "5 cycle %u boot 17 sleep lid\n", number);
	append(world, number, head);
}

static void note(void *data, const struct cycle *cycle, const struct record *record)
{
	struct world *world = data;

	(void)record;
	world->seen[cycle->head.number]++;
}

static void reads_what_is_new_in_the_journals_that_it_knows(void **state)
{
	struct world *world = *state;
	struct followers *followers = &world->followers;
	char path[96];

	for (unsigned int number = 1; number <= 3; number++)
		begin(world, number);
	assert_int_equal(followers_read(followers, 1, note, world), 0);
	assert_int_equal(followers_read(followers, 3, note, world), 0);
	assert_int_equal(followers->n_journals, 2);
	append(world, 1, "6 phase suspend\n");
	append(world, 2, "6 phase suspend\n");
	/* Also of one that was removed. */
	append(world, 3, "6 phase suspend\n7 end\n");
	path_of(world, 3, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	followers_read_known(followers, note, world);
	assert_int_equal(world->seen[1], 2);
	assert_int_equal(world->seen[2], 0);
	assert_int_equal(world->seen[3], 3);
	followers_read_known(followers, note, world);
	assert_int_equal(world->seen[1], 2);
	assert_int_equal(followers_read_directory(followers, note, world), 0);
	assert_int_equal(world->seen[1], 2);
	assert_int_equal(world->seen[2], 2);
	/* What is left is followed as before. */
	assert_true(followers_end(followers, 1, note, world));
	assert_int_equal(followers->n_journals, 2);
	append(world, 2, "7 end\n");
	followers_read_known(followers, note, world);
	assert_int_equal(world->seen[2], 3);
	assert_int_equal(world->seen[3], 3);
}

static void needs_no_observer(void **state)
{
	struct world *world = *state;

	begin(world, 1);
	assert_int_equal(followers_read_directory(&world->followers, NULL, NULL), 0);
	append(world, 1, "6 phase suspend\n");
	followers_read_known(&world->followers, note, world);
	assert_int_equal(world->seen[1], 1);
}

/* A directory in the place of a journal can be opened, but not read. */
static void what_cannot_be_read_is_not_read_again(void **state)
{
	struct world *world = *state;
	char path[96];

	path_of(world, 2, path, sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	begin(world, 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(followers_read(&world->followers, 2, note, world), 0);
		assert_int_equal(followers_read_directory(&world->followers, note, world), 0);
		assert_int_equal(world->followers.n_journals, 2);
	}
	assert_int_equal(world->seen[3], 1);
	assert_true(followers_end(&world->followers, 2, note, world));
}

static void reports_what_cannot_be_opened(void **state)
{
	struct world *world = *state;
	char path[96];

	path_of(world, 2, path, sizeof(path));
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(followers_read(&world->followers, 2, note, world), -ELOOP);
	assert_int_equal(followers_read_directory(&world->followers, note, world), -ELOOP);
	assert_int_equal(unlink(path), 0);
	/* One that was removed after the directory was listed is no error. */
	assert_int_equal(symlink("/nonexistent/x", path), 0);
	begin(world, 3);
	assert_int_equal(followers_read_directory(&world->followers, note, world), 0);
	assert_int_equal(world->seen[3], 1);
	world->followers.directory = "/dev/null";
	assert_int_equal(followers_read_directory(&world->followers, note, world), -ENOTDIR);
	world->followers.directory = "/nonexistent/x";
	assert_int_equal(followers_read_directory(&world->followers, note, world), 0);
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(reads_what_is_new_in_the_journals_that_it_knows),
		world_test(needs_no_observer),
		world_test(what_cannot_be_read_is_not_read_again),
		world_test(reports_what_cannot_be_opened),
	};

	return cmocka_run_group_tests_name("followers", tests, NULL, NULL);
}
