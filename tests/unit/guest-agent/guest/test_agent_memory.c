/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests how the agent locks its memory. The sanitizers cannot lock theirs. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/memory.h"

/* The memory between variables is read, too. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "report_globals=0";
}

static int locked_flags, lock_error;

/* Replaces the C library's function. */
int mlockall(int flags)
{
	locked_flags = flags;
	errno = lock_error;
	return lock_error ? -1 : 0;
}

/* As at the limit of descriptors; else the number of pipes, of which each child has one. */
static bool has_no_pipe;
static int pipes;

/* Replaces the C library's function. */
int pipe2(int ends[2], int flags)
{
	pipes++;
	if (has_no_pipe) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_pipe2, ends, flags);
}

static int set_up(void **state)
{
	sd_event *event;
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	locked_flags = lock_error = pipes = 0;
	has_no_pipe = false;
	assert_int_equal(sd_event_new(&event), 0);
	*state = event;
	return 0;
}

static int tear_down(void **state)
{
	sd_event_unref(*state);
	return 0;
}

static void locks_pages_when_they_are_used(void **state)
{
	assert_int_equal(memory_lock(*state), 0);
	assert_int_equal(locked_flags, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	/* The child that was started has ended. */
	assert_int_equal(pipes, 1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void reports_what_was_not_locked(void **state)
{
	lock_error = EPERM;
	assert_int_equal(memory_lock(*state), -EPERM);
}

/* Memory is locked although the child could not be started. */
static void locks_memory_without_a_child(void **state)
{
	has_no_pipe = true;
	assert_int_equal(memory_lock(*state), -EMFILE);
	assert_int_equal(locked_flags, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(locks_pages_when_they_are_used),
		TEST(reports_what_was_not_locked),
		TEST(locks_memory_without_a_child),
	};

	return cmocka_run_group_tests_name("agent-memory-lock", tests, NULL, NULL);
}
