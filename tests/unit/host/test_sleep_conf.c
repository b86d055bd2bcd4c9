/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd's sleep.conf: what systemd-sleep would try, and the drop-in that leaves it only S3. */
#include <errno.h>
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
#include "pmcoord/error.h"
#include "base/directory.h"
#include "host/sleep-conf.h"
#include "tests/unit/tree.h"

#define DROP_IN "run/systemd/sleep.conf.d/~pmcoord.conf"

static char root[32];

static int start(void **state)
{
	(void)state;
	strcpy(root, "/tmp/pmcoord-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	return tree_remove_all(root);
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void make_directory(const char *name)
{
	assert_int_equal(directory_make(path_of(name)), 0);
}

static void write_file(const char *name, const char *text)
{
	char directory[128];
	FILE *file;

	snprintf(directory, sizeof(directory), "%s", name);
	*strrchr(directory, '/') = '\0';
	make_directory(directory);
	file = fopen(path_of(name), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static struct sleep_conf read_conf(void)
{
	struct sleep_conf conf;

	assert_int_equal(sleep_conf_read(root, &conf), 0);
	return conf;
}

static void lists_what_systemd_tries(void **state)
{
	(void)state;
	assert_string_equal(read_conf().states, "mem standby freeze");
	assert_false(sleep_conf_allows_only_s3(&(struct sleep_conf){ .states = "mem standby" }));
	write_file("etc/systemd/sleep.conf", "[Sleep]\nSuspendState=mem  freeze\n");
	assert_string_equal(read_conf().states, "mem freeze");
	/* Lists grow over all files, until one empties them. */
	write_file("usr/lib/systemd/sleep.conf.d/10-a.conf", "[Sleep]\nSuspendState=standby\n");
	assert_string_equal(read_conf().states, "mem freeze standby");
	write_file("run/systemd/sleep.conf.d/20-b.conf",
		   "[Sleep]\nSuspendState=\nSuspendState=mem\nMemorySleepMode=s2idle\n");
	assert_string_equal(read_conf().states, "mem");
	assert_string_equal(read_conf().memory_modes, "s2idle");
	write_file("etc/systemd/sleep.conf.d/20-b.conf", "");
	assert_string_equal(read_conf().states, "mem freeze standby");
	assert_string_equal(read_conf().memory_modes, "");
	/* An empty list is the default. */
	write_file("etc/systemd/sleep.conf.d/30-c.conf", "[Sleep]\nSuspendState=\n");
	assert_string_equal(read_conf().states, "mem standby freeze");
}

struct list {
	const char *states, *memory_modes;
	bool is_only_s3;
};

static void knows_s3_from_all_else(void **state)
{
	static const struct list lists[] = {
		{ "mem", "", true },	     { "mem", "deep", true },
		{ "mem mem", "", true },     { "mem", "deep deep", true },
		{ "mem", "s2idle", false },  { "mem", "deep s2idle", false },
		{ "mem freeze", "", false }, { "freeze", "", false },
		{ "memory", "", false },     { "mem", "deeper", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
		struct sleep_conf conf = { 0 };

		snprintf(conf.states, sizeof(conf.states), "%s", lists[i].states);
		snprintf(conf.memory_modes, sizeof(conf.memory_modes), "%s", lists[i].memory_modes);
		if (sleep_conf_allows_only_s3(&conf) != lists[i].is_only_s3)
			fail_msg("'%s', '%s'", lists[i].states, lists[i].memory_modes);
	}
}

static void leaves_nothing_but_s3_until_it_is_released(void **state)
{
	static const char *const files[] = {
		"etc/systemd/sleep.conf",
		"etc/systemd/sleep.conf.d/zz-admin.conf",
		"usr/lib/systemd/sleep.conf.d/99-vendor.conf",
	};
	struct error error = { 0 };

	(void)state;
	make_directory("run/systemd");
	for (size_t i = 0; i <= ELEMENTSOF(files); i++) {
		char before[128];

		snprintf(before, sizeof(before), "%s", read_conf().states);
		assert_int_equal(sleep_conf_restrict(root, &error), 0);
		assert_string_equal(read_conf().states, "mem");
		/* A second time, e.g. after a crash. */
		assert_int_equal(sleep_conf_restrict(root, &error), 0);
		sleep_conf_release(root);
		assert_string_equal(read_conf().states, before);
		assert_int_equal(access(path_of(DROP_IN), F_OK), -1);
		if (i < ELEMENTSOF(files))
			write_file(files[i], "[Sleep]\nSuspendState=mem standby freeze\n");
	}
}

static void replaces_the_mode_of_mem_only_where_one_is_set(void **state)
{
	struct error error = { 0 };

	(void)state;
	make_directory("run/systemd");
	assert_int_equal(sleep_conf_restrict(root, &error), 0);
	assert_string_equal(read_conf().memory_modes, "");
	write_file("etc/systemd/sleep.conf", "[Sleep]\nMemorySleepMode=s2idle\n");
	assert_int_equal(sleep_conf_restrict(root, &error), 0);
	assert_string_equal(read_conf().memory_modes, "deep");
}

static void refuses_what_follows_its_drop_in(void **state)
{
	struct error error = { 0 };

	(void)state;
	make_directory("run/systemd");
	write_file("etc/systemd/sleep.conf.d/~~later.conf", "[Sleep]\nSuspendState=freeze\n");
	assert_int_equal(sleep_conf_restrict(root, &error), -EOPNOTSUPP);
	assert_non_null(strstr(error_text(&error), "SuspendState=mem freeze"));
	assert_non_null(strstr(error_text(&error), "~~later.conf"));
	assert_int_equal(access(path_of(DROP_IN), F_OK), -1);
	/* Masked. */
	assert_int_equal(unlink(path_of("etc/systemd/sleep.conf.d/~~later.conf")), 0);
	assert_int_equal(symlink("/dev/null", path_of("etc/systemd/sleep.conf.d/~pmcoord.conf")),
			 0);
	error = (struct error){ 0 };
	assert_int_equal(sleep_conf_restrict(root, &error), -EOPNOTSUPP);
	assert_non_null(strstr(error_text(&error), "mem standby freeze"));
}

static void says_what_cannot_be_written(void **state)
{
	struct error error = { 0 };

	(void)state;
	/* A file in the place of the directory. */
	write_file("run/systemd/sleep.conf.d", "");
	assert_true(sleep_conf_restrict(root, &error) < 0);
	assert_non_null(strstr(error_text(&error), "cannot write"));
	assert_non_null(strstr(error_text(&error), "~pmcoord.conf"));
	/* It does not matter where S3 alone is configured. */
	write_file("etc/systemd/sleep.conf", "[Sleep]\nSuspendState=mem\n");
	error = (struct error){ 0 };
	assert_int_equal(sleep_conf_restrict(root, &error), 0);
}

static void takes_an_endless_list_for_no_s3(void **state)
{
	char text[1024] = "[Sleep]\nSuspendState=mem ";
	struct error error = { 0 };

	(void)state;
	make_directory("run/systemd");
	memset(text + strlen(text), 'x', 500);
	write_file("etc/systemd/sleep.conf.d/~~later.conf", text);
	assert_int_equal(sleep_conf_restrict(root, &error), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
		T(lists_what_systemd_tries),
		T(knows_s3_from_all_else),
		T(leaves_nothing_but_s3_until_it_is_released),
		T(replaces_the_mode_of_mem_only_where_one_is_set),
		T(refuses_what_follows_its_drop_in),
		T(says_what_cannot_be_written),
		T(takes_an_endless_list_for_no_s3),
#undef T
	};

	return cmocka_run_group_tests_name("sleep.conf", tests, NULL, NULL);
}
