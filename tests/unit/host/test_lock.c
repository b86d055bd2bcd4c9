/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "host/lock.h"
#include "tests/unit/tree.h"

#define SECOND_US 1000000ull

static char directory[] = "/tmp/pmcoord-lock-XXXXXX";

static int take(uint64_t patience_us)
{
	struct error error = { 0 };

	return lock_take(directory, "test", patience_us, &error);
}

static void a_busy_lock_names_its_holder(void **state)
{
	struct error error = { 0 };
	char holder[64];
	int first = take(0);

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(lock_take(directory, "second", 0, &error), -EBUSY);
	assert_int_equal(error.outcome, OUTCOME_BUSY);
	assert_non_null(strstr(error_text(&error), "test, process"));
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 1);
	close(first);
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 0);
}

static void a_wait_ends_at_its_timeout(void **state)
{
	int first = take(0);

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(take(SECOND_US), -EBUSY);
	close(first);
}

/* Starts a child that waits for the lock, with a loop's signal mask. */
static pid_t start_waiting(bool is_told_before)
{
	pid_t pid = fork();
	sigset_t stops;

	if (pid != 0)
		return pid;
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	if (is_told_before)
		raise(SIGTERM);
	if (take(60 * SECOND_US) != -EINTR)
		_exit(1);
	sigpending(&stops);
	_exit(sigismember(&stops, SIGTERM) ? 0 : 2);
}

static void sleep_ms(long ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000 };

	nanosleep(&time, NULL);
}

static void a_signal_ends_a_wait(void **state)
{
	int first = take(0);

	(void)state;
	assert_true(first >= 0);
	for (int before = 0; before < 2; before++) {
		pid_t pid = start_waiting(before);
		int status;

		sleep_ms(100);
		if (!before)
			kill(pid, SIGTERM);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	close(first);
}

/* A child that holds the lock, and after 100 ms closes it or is killed. */
static pid_t start_holding(bool is_closed)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = take(0);

		if (fd < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		sleep_ms(100);
		if (!is_closed)
			raise(SIGKILL);
		close(fd);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void takes_the_lock_when_its_holder_closes_it_or_dies(void **state)
{
	char holder[64], own[64];

	(void)state;
	snprintf(own, sizeof(own), "test, process %d", (int)getpid());
	for (int is_closed = 0; is_closed < 2; is_closed++) {
		pid_t pid = start_holding(is_closed);
		time_t start = time(NULL);
		int fd = take(60 * SECOND_US);

		assert_true(fd >= 0);
		assert_true(time(NULL) - start < 30);
		assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 1);
		assert_string_equal(holder, own);
		close(fd);
		assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 0);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

static size_t count_descriptors(void)
{
	DIR *descriptors = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(descriptors);
	while (readdir(descriptors))
		n++;
	closedir(descriptors);
	return n;
}

static void a_wait_does_not_change_the_process(void **state)
{
	static const int stops[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t before, after;
	int first = take(0);
	size_t n;

	(void)state;
	assert_true(first >= 0);
	n = count_descriptors();
	sigprocmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(take(SECOND_US / 20), -EBUSY);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(count_descriptors(), n);
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		struct sigaction action;

		assert_int_equal(sigismember(&before, stops[i]), 0);
		assert_int_equal(sigismember(&after, stops[i]), 0);
		sigaction(stops[i], NULL, &action);
		assert_ptr_equal(action.sa_handler, SIG_DFL);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	close(first);
}

static bool has_child(pid_t pid)
{
	char path[64], text[32];
	FILE *children;
	bool has;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	children = fopen(path, "re");
	assert_non_null(children);
	has = fgets(text, sizeof(text), children) != NULL;
	fclose(children);
	return has;
}

static void a_killed_waiter_leaves_no_child_process(void **state)
{
	int first = take(0), status;
	pid_t waiter, orphan;

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	waiter = start_waiting(false);
	for (int i = 0; i < 1000 && !has_child(waiter); i++)
		sleep_ms(10);
	kill(waiter, SIGKILL);
	assert_int_equal(waitpid(waiter, NULL, 0), waiter);
	orphan = waitpid(-1, &status, 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_true(orphan > 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close(first);
}

static void a_lock_on_another_file_is_not_this_one(void **state)
{
	char path[64], holder[64];
	int fd = take(0), other;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/other", directory);
	other = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(other >= 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 0);
	close(other);
}

/* From now on a system call fails in this process. */
static bool forbid(unsigned int call, unsigned int with)
{
	struct sock_filter instructions[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | with),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(instructions) / sizeof(instructions[0]),
		.filter = instructions,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/*
 * Takes the lock, which is free or held by `holder`, in a child in which a system call fails.
 * Returns 0 if that is the reported error, and no grandchild is left.
 */
static int take_without(unsigned int call, unsigned int with, int holder)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct error error = { 0 };
		char expected[160];

		if (holder >= 0)
			close(holder);
		if (!forbid(call, with))
			_exit(1);
		/* Nothing that fails makes it wait. */
		alarm(20);
		if (lock_take(directory, "test", 60 * SECOND_US, &error) != -(int)with)
			_exit(2);
		snprintf(expected, sizeof(expected), "cannot lock %s/lock: %s", directory,
			 strerror((int)with));
		if (strcmp(error_text(&error), expected) != 0)
			_exit(3);
		_exit(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_file_system_without_locks_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(take_without(__NR_flock, ENOLCK, -1), 0);
}

static void a_wait_that_cannot_begin_is_an_error(void **state)
{
	static const struct {
		unsigned int call, with;
	} cases[] = {
		{ __NR_epoll_create1, EMFILE },	 { __NR_signalfd4, EMFILE },
		{ __NR_timerfd_create, EMFILE }, { __NR_clone, EAGAIN },
		{ __NR_pidfd_open, EMFILE },
	};
	int holder = take(0);

	(void)state;
	assert_true(holder >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = take_without(cases[i].call, cases[i].with, holder);

		if (r != 0)
			fail_msg("case %zu: %d", i, r);
	}
	close(holder);
}

static void says_why_the_lock_cannot_be_taken(void **state)
{
	struct error error = { 0 };
	char run[64], path[96], expected[160];
	int fd;

	(void)state;
	/* The directory cannot be made. */
	snprintf(path, sizeof(path), "%s/file", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	strcat(path, "/run");
	assert_int_equal(lock_take(path, "test", 0, &error), -ENOTDIR);
	snprintf(expected, sizeof(expected), "cannot create %s: Not a directory", path);
	assert_string_equal(error_text(&error), expected);
	/* The file cannot be opened. */
	snprintf(run, sizeof(run), "%s/run", directory);
	snprintf(path, sizeof(path), "%s/lock", run);
	assert_int_equal(mkdir(run, 0700), 0);
	assert_int_equal(symlink(path, path), 0);
	error = (struct error){ 0 };
	assert_int_equal(lock_take(run, "test", 0, &error), -ELOOP);
	snprintf(expected, sizeof(expected), "cannot open %s: Too many levels of symbolic links",
		 path);
	assert_string_equal(error_text(&error), expected);
	assert_int_equal(lock_holder(run, expected, sizeof(expected)), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(lock_holder(run, expected, sizeof(expected)), 0);
	assert_int_equal(rmdir(run), 0);
}

/* On a full /run, e.g. */
static void takes_the_lock_when_its_holder_cannot_be_named(void **state)
{
	struct error error = { 0 };
	struct rlimit unlimited, none;
	char holder[64];
	int fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	none = unlimited;
	none.rlim_cur = 4;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	fd = lock_take(directory, "test", 0, &error);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_true(fd >= 0);
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 1);
	close(fd);
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 0);
}

static void names_its_holder_exactly(void **state)
{
	char holder[128], expected[64], path[64];
	struct error error = { 0 };
	int fd;

	(void)state;
	/* Nothing is left of a longer name. */
	fd = lock_take(directory, "a purpose of many words", 0, NULL);
	assert_true(fd >= 0);
	close(fd);
	fd = take(0);
	snprintf(expected, sizeof(expected), "test, process %d", (int)getpid());
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 1);
	assert_string_equal(holder, expected);
	assert_int_equal(take(0), -EBUSY);
	close(fd);
	/* One that has not written its name yet. */
	snprintf(path, sizeof(path), "%s/lock", directory);
	assert_int_equal(truncate(path, 0), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 1);
	assert_string_equal(holder, "");
	assert_int_equal(lock_take(directory, "test", 0, &error), -EBUSY);
	assert_string_equal(
		error_text(&error),
		"another pmcoord is running (unknown process): wait until it has finished; see 'pmcoord status'");
	close(fd);
}

static void a_wait_takes_as_long_as_its_timeout(void **state)
{
	struct timespec begin, end;
	int first = take(0);
	int64_t us;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(take(SECOND_US / 5), -EBUSY);
	clock_gettime(CLOCK_MONOTONIC, &end);
	us = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
	assert_in_range(us, SECOND_US / 5, 20 * SECOND_US);
	close(first);
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
		cmocka_unit_test(a_busy_lock_names_its_holder),
		cmocka_unit_test(a_wait_ends_at_its_timeout),
		cmocka_unit_test(a_signal_ends_a_wait),
		cmocka_unit_test(takes_the_lock_when_its_holder_closes_it_or_dies),
		cmocka_unit_test(a_wait_does_not_change_the_process),
		cmocka_unit_test(a_killed_waiter_leaves_no_child_process),
		cmocka_unit_test(a_lock_on_another_file_is_not_this_one),
		cmocka_unit_test(a_file_system_without_locks_is_an_error),
		cmocka_unit_test(a_wait_that_cannot_begin_is_an_error),
		cmocka_unit_test(says_why_the_lock_cannot_be_taken),
		cmocka_unit_test(takes_the_lock_when_its_holder_cannot_be_named),
		cmocka_unit_test(names_its_holder_exactly),
		cmocka_unit_test(a_wait_takes_as_long_as_its_timeout),
	};

	return cmocka_run_group_tests_name("lock", tests, make_directory, remove_directory);
}
