/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests which records of the kernel's log mean that it has failed to suspend. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "guest/files.h"
#include "guest/kernel-log.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

/* The descriptor whose position was last set to its end. */
static int at_end_fd;

/* Replaces the C library's function: the FIFO that stands for the log has no position. */
off_t lseek(int fd, off_t offset, int whence)
{
	if (whence == SEEK_END && offset == 0)
		at_end_fd = fd;
	return (off_t)syscall(SYS_lseek, fd, offset, whence);
}

struct watch {
	struct tree tree;
	sd_event *event;
	struct kernel_log *log;
	char messages[512];
};

static int set_up(void **state)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	at_end_fd = -1;
	tree_new(&watch->tree);
	tree_write(&watch->tree, "dev/.keep", "");
	assert_int_equal(sd_event_new(&watch->event), 0);
	*state = watch;
	return 0;
}

static int tear_down(void **state)
{
	struct watch *watch = *state;

	kernel_log_free(watch->log);
	sd_event_unref(watch->event);
	tree_free(&watch->tree);
	free(watch);
	return 0;
}

static void on_refused(void *userdata, const char *message)
{
	struct watch *watch = userdata;

	strcat(watch->messages, message);
	strcat(watch->messages, "|");
}

static int start(struct watch *watch)
{
	return kernel_log_watch(watch->event, &watch->tree.roots, on_refused, watch, &watch->log);
}

/* Makes a FIFO that stands for /dev/kmsg. Returns its other end. */
static int make_log(struct watch *watch)
{
	char path[FILE_PATH_MAX];
	int fd;

	tree_path(&watch->tree, path, "dev/kmsg");
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_true(fd >= 0);
	return fd;
}

/* A record is read by one read(2) each. */
static void log_record(struct watch *watch, int fd, const char *record)
{
	assert_int_equal(write(fd, record, strlen(record)), strlen(record));
	while (sd_event_run(watch->event, 0) > 0)
		;
}

static void finds_the_records_of_a_failed_suspend(void **state)
{
	static const struct {
		const char *record, *message;
	} cases[] = {
		{ "3,1,5,-;xen:manage: do_suspend: freeze processes failed -16\n SUBSYSTEM=xen\n",
		  "freeze processes failed -16|" },
		{ "3,2,5,-;xen:manage: do_suspend: dpm_suspend_start -110\n",
		  "dpm_suspend_start -110|" },
		{ "3,3,5,-;xen:manage: xenbus suspend failed", "xenbus suspend failed|" },
		/* A text without "do_suspend: " in front has it nowhere else. */
		{ "3,4,5,-;xen:manage: failed in do_suspend: -1\n", "failed in do_suspend: -1|" },
		{ "3,5,5,-;xen:manage: do_suspend: all is well\n", "" },
		/* Only the first line is the message. */
		{ "3,6,5,-;xen:manage: do_suspend: all is well\n STATE=failed\n", "" },
		{ "3,7,5,-;e1000e 0000:00:04.0: reset failed\n", "" },
		{ "3,8,5,-;manage: do_suspend: failed\n", "" },
		{ "xen:manage: do_suspend: failed\n", "" },
		{ ";", "" },
	};
	struct watch *watch = *state;
	int fd = make_log(watch);

	assert_int_equal(start(watch), 0);
	assert_true(at_end_fd >= 0 && at_end_fd != fd);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		watch->messages[0] = '\0';
		log_record(watch, fd, cases[i].record);
		assert_string_equal(watch->messages, cases[i].message);
	}
	kernel_log_free(watch->log);
	watch->log = NULL;
	log_record(watch, fd, cases[0].record);
	assert_string_equal(watch->messages, "");
	assert_int_equal(fcntl(at_end_fd, F_GETFD), -1);
	close(fd);
}

static void a_log_that_has_ended_is_no_record(void **state)
{
	struct watch *watch = *state;
	int fd = make_log(watch);

	assert_int_equal(start(watch), 0);
	log_record(watch, fd, "3,1,5,-;xen:manage: do_suspend: freeze processes failed -16\n");
	close(fd);
	for (int i = 0; i < 5; i++)
		sd_event_run(watch->event, 0);
	assert_string_equal(watch->messages, "freeze processes failed -16|");
}

/* As in a process that was started without a standard input. */
static void a_log_may_have_the_descriptor_0(void **state)
{
	struct watch *watch = *state;
	int fd = make_log(watch), stdin_fd = dup(STDIN_FILENO), r;

	assert_true(stdin_fd > 0);
	close(STDIN_FILENO);
	r = start(watch);
	log_record(watch, fd, "3,1,5,-;xen:manage: do_suspend: freeze processes failed -16\n");
	kernel_log_free(watch->log);
	watch->log = NULL;
	assert_int_equal(close(STDIN_FILENO), -1);
	assert_int_equal(dup2(stdin_fd, STDIN_FILENO), STDIN_FILENO);
	close(stdin_fd);
	assert_int_equal(r, 0);
	assert_int_equal(at_end_fd, STDIN_FILENO);
	assert_string_equal(watch->messages, "freeze processes failed -16|");
	close(fd);
}

static void a_log_that_cannot_be_watched_is_an_error(void **state)
{
	struct watch *watch = *state;
	char slashes[FILE_PATH_MAX];

	assert_int_equal(start(watch), -ENOENT);
	/* No event tells that a file has grown. */
	tree_write(&watch->tree, "dev/kmsg", "");
	assert_int_equal(start(watch), -EPERM);
	memset(slashes, '/', sizeof(slashes) - 1);
	slashes[sizeof(slashes) - 1] = '\0';
	watch->tree.roots.dev = slashes;
	assert_int_equal(start(watch), -ENAMETOOLONG);
	assert_null(watch->log);
	kernel_log_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(finds_the_records_of_a_failed_suspend),
		TEST(a_log_that_has_ended_is_no_record),
		TEST(a_log_may_have_the_descriptor_0),
		TEST(a_log_that_cannot_be_watched_is_an_error),
	};

	return cmocka_run_group_tests_name("agent-kernel-log", tests, NULL, NULL);
}
