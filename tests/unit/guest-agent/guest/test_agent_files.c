/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests what is read from files and directories, what is refused, and what a failure leaves. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "guest/class.h"
#include "guest/files.h"
#include "net/rfkill.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

static int setup_tree(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	tree_new(tree);
	*state = tree;
	return 0;
}

static int teardown_tree(void **state)
{
	tree_free(*state);
	free(*state);
	return 0;
}

/* From now on, files of this process have at most `size` bytes. Returns the limit before. */
static struct rlimit limit_size(rlim_t size)
{
	struct rlimit before, limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	return before;
}

static void end_limit(const struct rlimit *before)
{
	assert_int_equal(setrlimit(RLIMIT_FSIZE, before), 0);
}

/* Slashes are a path of any length to the root directory. */
static void refuses_only_paths_that_are_too_long(void **state)
{
	char path[FILE_PATH_MAX], slashes[FILE_PATH_MAX + 1], text[8];
	uint64_t number;
	char *all = NULL;
	size_t length;

	(void)state;
	memset(slashes, '/', FILE_PATH_MAX);
	slashes[FILE_PATH_MAX] = '\0';
	assert_int_equal(file_path(path, "%s", slashes), -ENAMETOOLONG);
	assert_int_equal(file_read(text, sizeof(text), "%s", slashes), -ENAMETOOLONG);
	assert_int_equal(file_read_all(&all, &length, "%s", slashes), -ENAMETOOLONG);
	assert_int_equal(file_read_number(&number, "%s", slashes), -ENAMETOOLONG);
	assert_int_equal(file_write_at("x", "%s", slashes), -ENAMETOOLONG);
	assert_int_equal(file_link_name(text, sizeof(text), "%s", slashes), -ENAMETOOLONG);
	assert_false(file_exists("%s", slashes));
	slashes[FILE_PATH_MAX - 1] = '\0';
	assert_int_equal(file_path(path, "%s", slashes), 0);
	assert_string_equal(path, slashes);
	assert_int_equal(file_read(text, sizeof(text), "%s", slashes), -EISDIR);
	assert_int_equal(file_read_all(&all, &length, "%s", slashes), -EISDIR);
	assert_int_equal(file_read_number(&number, "%s", slashes), -EISDIR);
	assert_int_equal(file_write_at("x", "%s", slashes), -EISDIR);
	assert_int_equal(file_link_name(text, sizeof(text), "%s", slashes), -EINVAL);
	assert_true(file_exists("%s", slashes));
	slashes[FILE_PATH_MAX - 4] = '\0';
	assert_int_equal(file_replace(slashes, "x", 1), -ENAMETOOLONG);
	assert_null(all);
}

static void reads_an_attribute_without_blanks_at_its_end(void **state)
{
	static const struct {
		const char *contents, *text;
	} cases[] = {
		{ "12\n", "12" },
		{ "a b \n \n", "a b" },
		{ "", "" },
		{ "\n", "" },
		{ " x", " x" },
		{ "1234567", "1234567" },
		{ "12345678", "1234567" },
		{ "a\nb\n", "a\nb" },
	};
	struct tree *tree = *state;
	char text[8];

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		tree_write(tree, "sys/attribute", cases[i].contents);
		strcpy(text, "old");
		assert_int_equal(file_read(text, sizeof(text), "%s/attribute", tree->sys),
				 strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
	assert_int_equal(file_read(text, sizeof(text), "%s/absent", tree->sys), -ENOENT);
	assert_string_equal(text, "");
	strcpy(text, "old");
	assert_int_equal(file_read(text, sizeof(text), "%s", tree->sys), -EISDIR);
	assert_string_equal(text, "");
}

static void reads_files_of_any_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 20000 };
	struct tree *tree = *state;
	char *contents = malloc(20001), *all = NULL;
	size_t length = 7;

	for (size_t i = 0; i < 20000; i++)
		contents[i] = (char)('a' + i % 23);
	for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
		char kept = contents[sizes[i]];

		contents[sizes[i]] = '\0';
		tree_write(tree, "run/file", contents);
		assert_int_equal(file_read_all(&all, &length, "%s/file", tree->run), 0);
		assert_int_equal(length, sizes[i]);
		assert_string_equal(all, contents);
		freep(&all);
		contents[sizes[i]] = kept;
	}
	free(contents);
	length = 7;
	assert_int_equal(file_read_all(&all, &length, "%s/absent", tree->run), -ENOENT);
	assert_int_equal(file_read_all(&all, &length, "%s", tree->run), -EISDIR);
	assert_null(all);
	assert_int_equal(length, 7);
}

static void on_signal(int number)
{
	(void)number;
}

/* A signal arrives while the read waits for a writer. */
static void a_signal_does_not_end_a_read(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct tree *tree = *state;
	char path[FILE_PATH_MAX], text[16];
	pid_t pid, parent = getpid();

	tree_path(tree, path, "run/fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	pid = fork();
	if (pid == 0) {
		/* The open waits for the reader's. */
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		for (int i = 0; i < 5; i++) {
			usleep(20000);
			kill(parent, SIGUSR1);
		}
		_exit(write(fd, "late\n", 5) == 5 ? 0 : 1);
	}
	assert_int_equal(file_read(text, sizeof(text), "%s", path), 4);
	assert_string_equal(text, "late");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	signal(SIGUSR1, SIG_DFL);
}

static void reads_only_whole_numbers(void **state)
{
	static const struct {
		const char *contents;
		int r;
		uint64_t number;
	} cases[] = {
		{ "12\n", 0, 12 },
		{ "0x8086\n", 0, 0x8086 },
		{ "0", 0, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -EINVAL, 77 },
		{ "", -EINVAL, 77 },
		{ "x", -EINVAL, 77 },
		{ "12x", -EINVAL, 77 },
		{ "12 13", -EINVAL, 77 },
	};
	struct tree *tree = *state;
	uint64_t number;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		tree_write(tree, "sys/number", cases[i].contents);
		number = 77;
		errno = ERANGE;
		assert_int_equal(file_read_number(&number, "%s/number", tree->sys), cases[i].r);
		assert_true(number == cases[i].number);
	}
	assert_int_equal(file_read_number(&number, "%s/absent", tree->sys), -ENOENT);
	assert_true(number == 77);
}

static void writes_only_files_that_exist_and_all_or_an_error(void **state)
{
	struct tree *tree = *state;
	struct rlimit before;
	char path[FILE_PATH_MAX];
	int r;

	tree_write(tree, "sys/attribute", "a long value\n");
	tree_path(tree, path, "sys/attribute");
	assert_int_equal(file_write(path, "1"), 0);
	assert_string_equal(tree_read(tree, "sys/attribute"), "1");
	assert_int_equal(file_write_at("22", "%s/attribute", tree->sys), 0);
	assert_string_equal(tree_read(tree, "sys/attribute"), "22");
	assert_int_equal(file_write_at("1", "%s/absent", tree->sys), -ENOENT);
	assert_false(file_exists("%s/absent", tree->sys));
	assert_int_equal(file_write("/dev/full", "1"), -ENOSPC);
	before = limit_size(3);
	r = file_write(path, "12345");
	end_limit(&before);
	assert_int_equal(r, -EIO);
}

static void reads_the_last_component_of_a_link(void **state)
{
	static const struct {
		const char *target;
		size_t size;
		int r;
		const char *name;
	} cases[] = {
		{ "../a/bc", 8, 0, "bc" },	    { "bc", 8, 0, "bc" },
		{ "/a/bcd", 4, 0, "bcd" },	    { "/a/bcd", 3, -ENAMETOOLONG, "old" },
		{ "bcd", 3, -ENAMETOOLONG, "old" },
	};
	struct tree *tree = *state;
	char path[FILE_PATH_MAX], name[8];

	tree_path(tree, path, "sys/link");
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(symlink(cases[i].target, path), 0);
		strcpy(name, "old");
		assert_int_equal(file_link_name(name, cases[i].size, "%s/link", tree->sys),
				 cases[i].r);
		assert_string_equal(name, cases[i].name);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(file_link_name(name, sizeof(name), "%s/link", tree->sys), -ENOENT);
	assert_int_equal(file_link_name(name, sizeof(name), "%s", tree->sys), -EINVAL);
}

static void reads_the_numbers_of_devices(void **state)
{
	struct device_number number = { .block = true, .text = "old" };
	struct tree *tree = *state;
	char path[FILE_PATH_MAX];

	tree_path(tree, path, "run/.keep");
	assert_int_equal(file_device(AT_FDCWD, path, &number), 0);
	assert_string_equal(number.text, "old");
	assert_int_equal(file_device(AT_FDCWD, "/dev/null", &number), 1);
	assert_false(number.block);
	assert_string_equal(number.text, "1:3");
	/* Not every machine lets tests create nodes. */
	tree_path(tree, path, "run/disk");
	if (mknod(path, S_IFBLK | 0600, makedev(259, 4)) == 0) {
		assert_int_equal(file_device(AT_FDCWD, path, &number), 1);
		assert_true(number.block);
		assert_string_equal(number.text, "259:4");
	}
	tree_path(tree, path, "run/absent");
	assert_int_equal(file_device(AT_FDCWD, path, &number), -ENOENT);
}

struct names {
	int n;
	int end_with;
	char text[64];
};

static int take_name(void *data, int directory, const char *name)
{
	struct names *names = data;
	struct stat status;

	assert_int_equal(fstatat(directory, name, &status, 0), 0);
	strcat(names->text, name);
	return ++names->n == 2 ? names->end_with : 0;
}

static void walks_a_directory_until_told_to_stop(void **state)
{
	static const int results[] = { 0, 5, -EXDEV };
	struct tree *tree = *state;
	char path[FILE_PATH_MAX];

	tree_write(tree, "run/d/x", "");
	tree_write(tree, "run/d/y", "");
	tree_write(tree, "run/d/z", "");
	tree_write(tree, "run/d/.hidden", "");
	tree_path(tree, path, "run/d");
	for (size_t i = 0; i < ELEMENTSOF(results); i++) {
		struct names names = { .end_with = results[i] };

		assert_int_equal(directory_each(path, take_name, &names), results[i]);
		assert_int_equal(names.n, results[i] == 0 ? 3 : 2);
		assert_int_equal(strlen(names.text), names.n);
		assert_null(strchr(names.text, '.'));
	}
	tree_path(tree, path, "run/absent");
	assert_int_equal(directory_each(path, take_name, NULL), -ENOENT);
	tree_path(tree, path, "run/d/x");
	assert_int_equal(directory_each(path, take_name, NULL), -ENOTDIR);
}

static void replaces_a_file_completely_or_not_at_all(void **state)
{
	struct tree *tree = *state;
	struct rlimit before;
	struct stat status;
	char path[FILE_PATH_MAX];
	int r;

	tree_path(tree, path, "run/file");
	assert_int_equal(file_replace(path, "first", 5), 0);
	assert_string_equal(tree_read(tree, "run/file"), "first");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(file_replace(path, "second", 4), 0);
	assert_string_equal(tree_read(tree, "run/file"), "seco");
	before = limit_size(3);
	r = file_replace(path, "third", 5);
	end_limit(&before);
	assert_int_equal(r, -EFBIG);
	assert_string_equal(tree_read(tree, "run/file"), "seco");
	assert_string_equal(tree_read(tree, "run/file.new"), "(none)");
	/* A file does not replace a directory. */
	tree_write(tree, "run/d/x", "");
	tree_path(tree, path, "run/d");
	assert_int_equal(file_replace(path, "x", 1), -EISDIR);
	assert_string_equal(tree_read(tree, "run/d.new"), "(none)");
	tree_write(tree, "run/e.new/x", "");
	tree_path(tree, path, "run/e");
	assert_int_equal(file_replace(path, "x", 1), -EISDIR);
	tree_path(tree, path, "run/absent/file");
	assert_int_equal(file_replace(path, "x", 1), -ENOENT);
}

/* As in a process that was started without a standard input. Nothing stays open. */
static void all_works_with_the_descriptor_0(void **state)
{
	struct tree *tree = *state;
	int stdin_fd = dup(STDIN_FILENO), written, replaced, read_r, read_all_r, next;
	char path[FILE_PATH_MAX], text[16], *all = NULL;
	size_t length;

	tree_write(tree, "run/file", "old");
	tree_path(tree, path, "run/file");
	assert_true(stdin_fd > 0);
	close(STDIN_FILENO);
	written = file_write(path, "new");
	read_r = file_read(text, sizeof(text), "%s", path);
	replaced = file_replace(path, "newer", 5);
	read_all_r = file_read_all(&all, &length, "%s", path);
	next = dup(STDOUT_FILENO);
	assert_int_equal(dup2(stdin_fd, STDIN_FILENO), STDIN_FILENO);
	close(stdin_fd);
	assert_int_equal(written, 0);
	assert_int_equal(read_r, 3);
	assert_string_equal(text, "new");
	assert_int_equal(replaced, 0);
	assert_int_equal(read_all_r, 0);
	assert_string_equal(all, "newer");
	free(all);
	assert_int_equal(next, STDIN_FILENO);
}

/* ---- Classes of devices ---- */

static void tells_what_is_beneath_a_directory(void **state)
{
	(void)state;
	assert_true(path_is_beneath("/sys/a/b", "/sys/a"));
	assert_false(path_is_beneath("/sys/a", "/sys/a"));
	assert_false(path_is_beneath("/sys/ab", "/sys/a"));
	assert_false(path_is_beneath("/sys/b/c", "/sys/a"));
}

static int count_device(void *data, const char *name)
{
	int *n = data;

	assert_string_equal(name, "wlan0");
	(*n)++;
	return 0;
}

static void lists_only_the_devices_of_a_function(void **state)
{
	struct tree *tree = *state;
	const struct roots *roots = &tree->roots;
	char path[FILE_PATH_MAX], slashes[FILE_PATH_MAX + 1];
	int n = 0;

	memset(slashes, '/', FILE_PATH_MAX);
	slashes[FILE_PATH_MAX] = '\0';
	tree_add_function(tree, "0000:00:04.0", "iwlwifi", "0x8086 0x2723 0x028000");
	tree_add_function(tree, "0000:00:05.0", "igb", "0x8086 0x1533 0x020000");
	tree_add_node(tree, "net", "wlan0", TREE_DEVICES "0000:00:04.0/net/wlan0", NULL);
	tree_add_node(tree, "net", "eth0", TREE_DEVICES "0000:00:05.0/net/eth0", NULL);
	/* This device was removed after it was listed. */
	tree_link(tree, "sys/class/net/gone", TREE_DEVICES "0000:00:04.0/net/gone");
	assert_int_equal(class_each(roots, "net", "0000:00:04.0", count_device, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(class_each(roots, "net", "0000:00:06.0", count_device, &n), -ENOENT);
	assert_int_equal(class_each(roots, "net", slashes, count_device, &n), -ENAMETOOLONG);
	assert_int_equal(class_each_in(roots, slashes, tree->sys, count_device, &n), -ENAMETOOLONG);
	assert_int_equal(class_directory(roots, "net", slashes, path), -ENAMETOOLONG);
	assert_int_equal(n, 1);
	tree_path(tree, path, "sys/class/net/loop");
	assert_int_equal(symlink("loop", path), 0);
	assert_int_equal(class_each(roots, "net", "0000:00:04.0", count_device, &n), -ELOOP);
}

/* ---- Radios ---- */

#define WIFI "0000:00:04.0"

static void add_radio(struct tree *tree, int n, const char *type, const char *soft)
{
	char name[120], target[100];

	snprintf(target, sizeof(target), TREE_DEVICES WIFI "/rfkill%d", n);
	if (type) {
		snprintf(name, sizeof(name), "%s/type", target);
		tree_write(tree, name, type);
	}
	if (soft) {
		snprintf(name, sizeof(name), "%s/soft", target);
		tree_write(tree, name, soft);
	}
	snprintf(name, sizeof(name), "sys/class/rfkill/rfkill%d", n);
	tree_link(tree, name, target);
}

static void remove_radios(struct tree *tree)
{
	char path[FILE_PATH_MAX];

	tree_path(tree, path, "sys/class/rfkill");
	nftw(path, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
	tree_parents(tree, "sys/class/rfkill/x");
}

static const char *soft_of(struct tree *tree, int n)
{
	char name[100];

	snprintf(name, sizeof(name), TREE_DEVICES WIFI "/rfkill%d/soft", n);
	return tree_read(tree, name);
}

static void a_new_radio_gets_the_state_of_the_old_one(void **state)
{
	struct tree *tree = *state;
	struct rfkill_state radios = { .n_radios = 3 };

	tree_add_function(tree, WIFI, "iwlwifi", "0x8086 0x2723 0x028000");
	rfkill_save(&tree->roots, WIFI, &radios);
	assert_int_equal(radios.n_radios, 0);
	add_radio(tree, 0, "wlan\n", "1\n");
	add_radio(tree, 1, "bluetooth\n", "0\n");
	/* These cannot be read. */
	add_radio(tree, 2, "nfc\n", NULL);
	add_radio(tree, 3, NULL, "1\n");
	add_radio(tree, 4, "", "1\n");
	add_radio(tree, 5, "wlan\n", "");
	rfkill_save(&tree->roots, WIFI, &radios);
	assert_int_equal(radios.n_radios, 2);
	remove_radios(tree);
	add_radio(tree, 10, "bluetooth\n", "1\n");
	add_radio(tree, 11, "wlan\n", "0\n");
	add_radio(tree, 12, "nfc\n", "0\n");
	add_radio(tree, 13, NULL, "0\n");
	rfkill_restore(&tree->roots, WIFI, &radios, file_write);
	assert_string_equal(soft_of(tree, 10), "0");
	assert_string_equal(soft_of(tree, 11), "1");
	assert_string_equal(soft_of(tree, 12), "0");
	assert_string_equal(soft_of(tree, 13), "0");
}

static void saves_only_some_radios(void **state)
{
	struct tree *tree = *state;
	struct {
		struct rfkill_state radios;
		char after[32];
	} saved = { .after = "untouched" };

	tree_add_function(tree, WIFI, "iwlwifi", "0x8086 0x2723 0x028000");
	for (int i = 0; i < RFKILL_MAX + 2; i++)
		add_radio(tree, i, "wlan\n", "1\n");
	rfkill_save(&tree->roots, WIFI, &saved.radios);
	assert_int_equal(saved.radios.n_radios, RFKILL_MAX);
	assert_string_equal(saved.after, "untouched");
	for (int i = 0; i < RFKILL_MAX; i++) {
		assert_string_equal(saved.radios.radios[i].type, "wlan");
		assert_string_equal(saved.radios.radios[i].soft, "1");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_tree, teardown_tree)
	const struct CMUnitTest tests[] = {
		TEST(refuses_only_paths_that_are_too_long),
		TEST(reads_an_attribute_without_blanks_at_its_end),
		TEST(reads_files_of_any_size),
		TEST(a_signal_does_not_end_a_read),
		TEST(reads_only_whole_numbers),
		TEST(writes_only_files_that_exist_and_all_or_an_error),
		TEST(reads_the_last_component_of_a_link),
		TEST(reads_the_numbers_of_devices),
		TEST(walks_a_directory_until_told_to_stop),
		TEST(replaces_a_file_completely_or_not_at_all),
		TEST(all_works_with_the_descriptor_0),
		TEST(tells_what_is_beneath_a_directory),
		TEST(lists_only_the_devices_of_a_function),
		TEST(a_new_radio_gets_the_state_of_the_old_one),
		TEST(saves_only_some_radios),
	};

	return cmocka_run_group_tests_name("agent-files", tests, NULL, NULL);
}
