/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests children that do work which may hang: what they report, how they end, what they inherit. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "guest/files.h"
#include "guest/task.h"
#include "tests/unit/guest-agent/test_agent_tree.h"

/* As at the limits of descriptors and of processes. */
static bool has_no_pipe, has_no_process;

/* Replaces the C library's function. */
int pipe2(int ends[2], int flags)
{
	if (has_no_pipe) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_pipe2, ends, flags);
}

/* Replaces the C library's function. */
pid_t fork(void)
{
	pid_t (*real_fork)(void) = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");

	if (has_no_process) {
		errno = EAGAIN;
		return -1;
	}
	return real_fork();
}

struct work {
	struct tree tree;
	sd_event *event;
	struct task *task;
	int done, late;
	struct task_result result;
};

static int set_up(void **state)
{
	struct work *work = calloc(1, sizeof(*work));
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	tree_new(&work->tree);
	assert_int_equal(sd_event_new(&work->event), 0);
	*state = work;
	return 0;
}

static int tear_down(void **state)
{
	struct work *work = *state;

	task_free(work->task);
	sd_event_unref(work->event);
	tree_free(&work->tree);
	free(work);
	return 0;
}

static void on_done(void *userdata, const struct task_result *result)
{
	struct work *work = userdata;

	work->done++;
	work->result = *result;
}

static void on_late(void *userdata)
{
	((struct work *)userdata)->late++;
}

static int start(struct work *work, task_body_fn body, uint64_t timeout_us)
{
	struct task_spec spec = {
		.name = "some-work",
		.body = body,
		.data = work,
		.timeout_us = timeout_us,
		.done = on_done,
		.late = on_late,
		.userdata = work,
	};

	return task_start(work->event, &spec, &work->task);
}

/* Handles events until the task has ended, and then all that are left. */
static void await_done(struct work *work)
{
	uint64_t end = clock_now_us() + 10000000;

	while (work->done == 0 && clock_now_us() < end)
		sd_event_run(work->event, 100000);
	while (sd_event_run(work->event, 50000) > 0)
		;
	assert_int_equal(work->done, 1);
}

/* No child is left, not even as a zombie. */
static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* ---- How a child ends ---- */

static void succeed(void *data, struct task_report *report)
{
	(void)data;
	strcpy(report->text, "all is well");
}

static void fail_with_text(void *data, struct task_report *report)
{
	(void)data;
	report->r = -EIO;
	strcpy(report->text, "the driver refused");
}

static void report_without_end(void *data, struct task_report *report)
{
	(void)data;
	report->r = -EIO;
	memset(report->text, 'x', sizeof(report->text));
}

static void exit_7(void *data, struct task_report *report)
{
	(void)data;
	report->r = -EIO;
	_exit(7);
}

static void exit_0(void *data, struct task_report *report)
{
	(void)data;
	report->r = -EIO;
	_exit(0);
}

static void die(void *data, struct task_report *report)
{
	(void)data;
	(void)report;
	kill(getpid(), SIGKILL);
}

static void tells_how_a_child_has_ended(void **state)
{
	static char xs[TASK_TEXT_MAX];
	static const struct {
		task_body_fn body;
		bool silent, signalled;
		int status, r;
		const char *text, *failure;
	} cases[] = {
		{ succeed, false, false, 0, 0, "all is well", NULL },
		{ fail_with_text, false, false, 1, -EIO, "the driver refused",
		  "the driver refused" },
		{ report_without_end, false, false, 1, -EIO, xs, xs },
		{ exit_7, true, false, 7, 0, "", "failed with status 7" },
		{ exit_0, true, false, 0, 0, "", NULL },
		{ die, true, true, SIGKILL, 0, "", "was killed by signal 9" },
	};
	struct work *work = *state;
	size_t descriptors = 0;

	memset(xs, 'x', sizeof(xs) - 1);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char failure[TASK_TEXT_MAX];
		const char *described;

		work->done = 0;
		assert_int_equal(start(work, cases[i].body, 60000000), 0);
		assert_true(task_is_alive(work->task));
		await_done(work);
		assert_false(task_is_alive(work->task));
		assert_int_equal(work->late, 0);
		assert_false(work->result.timed_out);
		assert_int_equal(work->result.silent, cases[i].silent);
		assert_int_equal(work->result.signalled, cases[i].signalled);
		assert_int_equal(work->result.status, cases[i].status);
		assert_int_equal(work->result.report.r, cases[i].r);
		assert_string_equal(work->result.report.text, cases[i].text);
		described = task_describe_failure(&work->result, failure, sizeof(failure));
		if (cases[i].failure) {
			assert_ptr_equal(described, failure);
			assert_string_equal(failure, cases[i].failure);
		} else {
			assert_null(described);
		}
		task_free(work->task);
		work->task = NULL;
		assert_no_child();
		/* The first child makes the event loop open what it needs. */
		if (i == 0)
			descriptors = count_descriptors();
		assert_int_equal(count_descriptors(), descriptors);
	}
	assert_false(task_is_alive(NULL));
}

/* ---- What a child inherits ---- */

static void describe_self(void *data, struct task_report *report)
{
	char name[16] = "";
	sigset_t mask;
	int death = 0, blocked = 0, descriptors = 0;

	(void)data;
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			descriptors++;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number < SIGRTMAX; number++)
		blocked += sigismember(&mask, number) == 1;
	prctl(PR_GET_NAME, name);
	prctl(PR_GET_PDEATHSIG, &death);
	snprintf(report->text, sizeof(report->text),
		 "%s: leads %d, dies by %d, blocks %d, SIGPIPE %d, has %d, closes %d", name,
		 getpgrp() == getpid(), death, blocked, signal(SIGPIPE, SIG_DFL) == SIG_DFL,
		 descriptors, fcntl(3, F_GETFD) == FD_CLOEXEC);
}

static void a_child_inherits_only_what_it_needs(void **state)
{
	struct work *work = *state;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(start(work, describe_self, 60000000), 0);
	await_done(work);
	signal(SIGPIPE, SIG_DFL);
	assert_string_equal(work->result.report.text,
			    "some-work: leads 1, dies by 9, blocks 0, SIGPIPE 1, has 4, closes 1");
}

/* ---- Children that do not end ---- */

/* Opens a FIFO for as long as it lives, in the child and in a process that the child starts. */
static void hang(void *data, struct task_report *report)
{
	const struct work *work = data;
	char path[FILE_PATH_MAX];

	(void)report;
	if (file_path(path, "%s/lives", work->tree.run) < 0 || open(path, O_WRONLY | O_CLOEXEC) < 0)
		_exit(1);
	fork();
	for (;;)
		pause();
}

/* Starts a task that hangs, and waits until both of its processes live. Returns the FIFO's end. */
static int start_hanging(struct work *work, uint64_t timeout_us)
{
	struct pollfd poll_fd = { .events = POLLIN };
	char path[FILE_PATH_MAX];

	tree_path(&work->tree, path, "run/lives");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	poll_fd.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(poll_fd.fd >= 0);
	assert_int_equal(start(work, hang, timeout_us), 0);
	/* Gives the child time to open the FIFO. */
	assert_int_equal(poll(&poll_fd, 1, 100), 0);
	return poll_fd.fd;
}

/* Whether all processes that had the FIFO open have ended. */
static bool have_ended(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 10000) == 1 && (poll_fd.revents & POLLHUP);
}

static void a_child_that_hangs_is_killed_with_what_it_started(void **state)
{
	struct work *work = *state;
	char failure[TASK_TEXT_MAX];
	uint64_t start_us = clock_now_us();
	int fd = start_hanging(work, 400000);

	assert_int_equal(work->done, 0);
	await_done(work);
	assert_in_range(clock_now_us() - start_us, 400000, 5000000);
	assert_true(work->result.timed_out);
	assert_int_equal(work->result.report.r, 0);
	assert_string_equal(task_describe_failure(&work->result, failure, sizeof(failure)),
			    "took too long and was killed");
	assert_true(have_ended(fd));
	assert_int_equal(work->late, 1);
	assert_false(task_is_alive(work->task));
	assert_no_child();
	close(fd);
}

static void a_task_that_is_freed_ends_without_a_word(void **state)
{
	struct work *work = *state;
	int fd = start_hanging(work, 300000);

	task_free(work->task);
	work->task = NULL;
	assert_true(have_ended(fd));
	/* Longer than the time limit. */
	while (sd_event_run(work->event, 400000) > 0)
		;
	assert_int_equal(work->done, 0);
	assert_int_equal(work->late, 0);
	assert_no_child();
	close(fd);
}

/* ---- Children that cannot be started ---- */

static void a_child_that_cannot_be_started_is_an_error(void **state)
{
	struct work *work = *state;
	size_t descriptors;

	/* The first child makes the event loop open what it needs. */
	assert_int_equal(start(work, succeed, 60000000), 0);
	await_done(work);
	task_free(work->task);
	work->task = NULL;
	descriptors = count_descriptors();
	has_no_pipe = true;
	assert_int_equal(start(work, succeed, 60000000), -EMFILE);
	has_no_pipe = false;
	has_no_process = true;
	assert_int_equal(start(work, succeed, 60000000), -EAGAIN);
	has_no_process = false;
	/* No such time limit can be set. The child is ended again. */
	assert_int_equal(start(work, succeed, UINT64_MAX - 1), -EOVERFLOW);
	assert_null(work->task);
	assert_no_child();
	assert_int_equal(count_descriptors(), descriptors);
	while (sd_event_run(work->event, 50000) > 0)
		;
	assert_int_equal(work->done, 1);
}

static void a_child_that_cannot_be_watched_is_an_error(void **state)
{
	struct work *work = *state;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	assert_int_equal(start(work, succeed, 60000000), -EBUSY);
	sigprocmask(SIG_BLOCK, &child, NULL);
	assert_null(work->task);
	assert_no_child();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(tells_how_a_child_has_ended),
		TEST(a_child_inherits_only_what_it_needs),
		TEST(a_child_that_hangs_is_killed_with_what_it_started),
		TEST(a_task_that_is_freed_ends_without_a_word),
		TEST(a_child_that_cannot_be_started_is_an_error),
		TEST(a_child_that_cannot_be_watched_is_an_error),
	};

	return cmocka_run_group_tests_name("agent-task", tests, NULL, NULL);
}
