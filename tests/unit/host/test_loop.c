/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
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
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "model/hypervisor.h"
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

/* ---- waits ----------------------------------------------------------------- */

/* A hypervisor that is only a descriptor. */
static int events[2];

static int events_fd(struct hypervisor *hypervisor)
{
	(void)hypervisor;
	return events[0];
}

static const struct hypervisor_ops ops = { .fd = events_fd };
static struct hypervisor hypervisor = { .ops = &ops };

static int open_loop(void **state)
{
	struct error error = { 0 };
	struct loop *loop;

	assert_int_equal(pipe(events), 0);
	assert_int_equal(loop_new(&hypervisor, &loop, &error), 0);
	/* A wait that does not end fails the test. */
	alarm(20);
	*state = loop;
	return 0;
}

static int close_loop(void **state)
{
	alarm(0);
	loop_free(*state);
	close(events[0]);
	close(events[1]);
	return 0;
}

#define LONG_US 60000000
#define SHORT_US 20000

/* Waits for at most this long. Returns whether the wait has ended before. */
static bool waits_less(struct loop *loop, uint64_t us)
{
	uint64_t begin_us = loop_now(loop);

	assert_int_equal(loop->ops->wait(loop, begin_us + us), 0);
	return loop_now(loop) < begin_us + us;
}

static void a_wait_ends_at_its_deadline(void **state)
{
	struct loop *loop = *state;
	struct timespec now;
	uint64_t begin_us = loop_now(loop);

	assert_false(waits_less(loop, SHORT_US));
	assert_true(loop_now(loop) < begin_us + LONG_US / 2);
	/* One that has passed ends it at once, each time. */
	assert_int_equal(loop->ops->wait(loop, begin_us), 0);
	assert_int_equal(loop->ops->wait(loop, 0), 0);
	assert_false(waits_less(loop, SHORT_US));
	/* The clock is that of the whole time since boot. */
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
	assert_in_range(loop_now(loop) / 1000000, (uint64_t)now.tv_sec, (uint64_t)now.tv_sec + 10);
	assert_false(loop_stop_requested(loop));
	assert_int_equal(loop_take_signal(loop), 0);
}

static void an_event_of_the_hypervisor_ends_a_wait(void **state)
{
	struct loop *loop = *state;

	assert_int_equal(write(events[1], "x", 1), 1);
	assert_true(waits_less(loop, LONG_US));
	/* Even one without a deadline, until it is taken. */
	assert_int_equal(loop->ops->wait(loop, LOOP_FOREVER), 0);
	assert_int_equal(loop_watch_hypervisor(loop, false), 0);
	assert_false(waits_less(loop, SHORT_US));
	assert_int_equal(loop_watch_hypervisor(loop, true), 0);
	assert_true(waits_less(loop, LONG_US));
}

/* The deadline of a wait that an event has ended must not end the next wait. */
static void a_wait_without_a_deadline_lasts(void **state)
{
	struct loop *loop = *state;
	uint64_t begin_us;
	char byte;
	pid_t pid;

	assert_int_equal(write(events[1], "x", 1), 1);
	begin_us = loop_now(loop);
	assert_int_equal(loop->ops->wait(loop, begin_us + 100000), 0);
	assert_int_equal(read(events[0], &byte, 1), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		usleep(300000);
		_exit(write(events[1], "x", 1) == 1 ? 0 : 1);
	}
	assert_int_equal(loop->ops->wait(loop, LOOP_FOREVER), 0);
	assert_true(loop_now(loop) >= begin_us + 250000);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_watched_descriptor_ends_a_wait_once(void **state)
{
	struct loop *loop = *state;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(loop_watch_fd(loop, ends[0]), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_true(waits_less(loop, LONG_US));
	assert_false(waits_less(loop, SHORT_US));
	/* Another one, or none, takes its place. */
	assert_int_equal(loop_watch_fd(loop, events[0]), -EEXIST);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_false(waits_less(loop, SHORT_US));
	assert_int_equal(loop_watch_fd(loop, ends[0]), 0);
	assert_int_equal(loop_watch_fd(loop, -EBADF), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_false(waits_less(loop, SHORT_US));
	close(ends[0]);
	close(ends[1]);
}

/* ---- the watchdog ---------------------------------------------------------- */

static unsigned int count_messages(int fd)
{
	unsigned int n = 0;
	char text[32];
	ssize_t length;

	while ((length = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[length] = '\0';
		assert_string_equal(text, "WATCHDOG=1");
		n++;
	}
	return n;
}

static void the_watchdog_is_told_during_waits(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct loop *loop = *state;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t end_us;
	char name[128];

	assert_true(fd >= 0);
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "pmcoord-test-%d",
		 (int)getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
					  strlen(address.sun_path + 1))),
			 0);
	snprintf(name, sizeof(name), "@%s", address.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(loop_watchdog(loop, 20000), 0);
	assert_int_equal(count_messages(fd), 0);
	end_us = loop_now(loop) + 500000;
	while (loop_now(loop) < end_us)
		assert_int_equal(loop->ops->wait(loop, end_us), 0);
	/* At most 25, on a busy machine fewer. */
	assert_in_range(count_messages(fd), 3, 26);
	/* Another interval replaces it, and none ends it. */
	assert_int_equal(loop_watchdog(loop, LONG_US), 0);
	assert_false(waits_less(loop, 100000));
	assert_int_equal(loop_watchdog(loop, 20000), 0);
	assert_int_equal(loop_watchdog(loop, 0), 0);
	assert_false(waits_less(loop, 100000));
	assert_int_equal(count_messages(fd), 0);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

/* A signal is not hidden by a deadline that has passed, and stays on record. */
static void remembers_that_a_stop_was_requested(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct loop *loop;

		if (loop_new(NULL, &loop, NULL) < 0)
			_exit(1);
		if (loop_watch_hypervisor(loop, false) != 0)
			_exit(2);
		raise(SIGTERM);
		if (loop->ops->wait(loop, 0) < 0 || loop_take_signal(loop) != SIGTERM)
			_exit(3);
		_exit(loop_take_signal(loop) == 0 && loop_stop_requested(loop) ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void says_that_a_loop_cannot_be_made(void **state)
{
	struct error error = { 0 };
	struct rlimit before, none;
	struct loop *loop;
	int r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = loop_new(NULL, &loop, &error);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	assert_string_equal(error_text(&error),
			    "cannot set up the event loop: Too many open files");
	/* The hypervisor's descriptor is not open. */
	events[0] = 12345;
	error = (struct error){ 0 };
	assert_int_equal(loop_new(&hypervisor, &loop, &error), -EBADF);
	assert_string_equal(error_text(&error),
			    "cannot set up the event loop: Bad file descriptor");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_stop_signals),
		cmocka_unit_test(ignores_sighup_under_nohup),
		cmocka_unit_test(remembers_that_a_stop_was_requested),
		cmocka_unit_test(says_that_a_loop_cannot_be_made),
		TEST(a_wait_ends_at_its_deadline),
		TEST(an_event_of_the_hypervisor_ends_a_wait),
		TEST(a_wait_without_a_deadline_lasts),
		TEST(a_watched_descriptor_ends_a_wait_once),
		TEST(the_watchdog_is_told_during_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
