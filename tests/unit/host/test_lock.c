/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/lock.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_US 1000000ull

static char directory[] = "/tmp/pmcoord-lock-XXXXXX";

static int take(uint64_t patience_us)
{
	struct error error = { 0 };

	return lock_take(directory, "test", patience_us, &error);
}

static void the_second_is_told_who_is_first(void **state)
{
	struct error error = { 0 };
	char holder[64];
	int first = take(0);

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(lock_take(directory, "second", 0, &error), -EBUSY);
	assert_non_null(strstr(error_text(&error), "test, process"));
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 1);
	close(first);
	assert_int_equal(lock_holder(directory, holder, sizeof(holder)), 0);
}

static void patience_ends(void **state)
{
	int first = take(0);

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(take(SECOND_US), -EBUSY);
	close(first);
}

/* A child that waits for the lock as a process with a loop does. */
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

static void who_waits_can_be_told_to_stop(void **state)
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

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_is_told_who_is_first),
		cmocka_unit_test(patience_ends),
		cmocka_unit_test(who_waits_can_be_told_to_stop),
	};

	return cmocka_run_group_tests_name("lock", tests, make_directory, remove_directory);
}
