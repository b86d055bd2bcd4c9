/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "model/loop.h"
#include "host/loop-event.h"

/*
 * Each case runs in a process of its own, because signals affect a whole process. Its
 * status is the signal that the loop reported, or the one that killed it.
 */
static int told_of(int signal_number, bool is_nohup)
{
	pid_t pid = fork();
	struct loop *loop;
	struct error error = { 0 };
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGHUP, is_nohup ? SIG_IGN : SIG_DFL);
		if (loop_new(NULL, &loop, &error) < 0)
			_exit(255);
		raise(signal_number);
		if (loop->ops->wait(loop, loop_now(loop)) < 0)
			_exit(254);
		status = loop_take_signal(loop);
		loop_free(loop);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void reports_stop_signals(void **state)
{
	(void)state;
	assert_int_equal(told_of(SIGTERM, false), SIGTERM);
	assert_int_equal(told_of(SIGINT, false), SIGINT);
	assert_int_equal(told_of(SIGHUP, false), SIGHUP);
}

static void ignores_sighup_under_nohup(void **state)
{
	(void)state;
	assert_int_equal(told_of(SIGHUP, true), 0);
	assert_int_equal(told_of(SIGTERM, true), SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_stop_signals),
		cmocka_unit_test(ignores_sighup_under_nohup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
