/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sleep unit's end of a lease, with a socket as the daemon. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "model/loop.h"
#include "host/loop-event.h"
#include "engine/job.h"
#include "daemon/lease.h"

struct world {
	int ends[2]; /* of the unit, of the daemon */
	int notified; /* the service manager's socket */
	struct loop *loop;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct error error = { 0 };
	char name[64];

	assert_non_null(world);
	assert_int_equal(loop_new(NULL, &world->loop, &error), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, world->ends),
		0);
	world->notified = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(world->notified >= 0);
	snprintf(name, sizeof(name), "@pmcoord-lease-%d", (int)getpid());
	memcpy(address.sun_path + 1, name + 1, strlen(name + 1));
	assert_int_equal(bind(world->notified, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	/* A wait that does not end fails the test. */
	alarm(20);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	alarm(0);
	unsetenv("NOTIFY_SOCKET");
	close(world->notified);
	close(world->ends[0]);
	if (world->ends[1] >= 0)
		close(world->ends[1]);
	loop_free(world->loop);
	free(world);
	return 0;
}

static void say(struct world *world, const char *text)
{
	assert_int_equal(send(world->ends[1], text, strlen(text), 0), (ssize_t)strlen(text));
}

static void hang_up(struct world *world)
{
	close(world->ends[1]);
	world->ends[1] = -1;
}

/* Asserts that this, and nothing else, was passed on to the service manager; NULL: nothing. */
static void assert_notified(struct world *world, const char *expected)
{
	char text[256] = "";

	if (expected) {
		assert_true(recv(world->notified, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
		assert_string_equal(text, expected);
	}
	assert_int_equal(recv(world->notified, text, sizeof(text), MSG_DONTWAIT), -1);
}

static void returns_what_the_daemon_says(void **state)
{
	struct world *world = *state;
	struct job_outcome outcome = { 0 };
	bool was_ready = true;

	say(world, "EXIT=3\nMESSAGE=mail was paused");
	hang_up(world);
	assert_int_equal(lease_hold(world->ends[0], world->loop, &outcome, &was_ready), 0);
	assert_int_equal(outcome.result, job_result_of_number(3));
	assert_string_equal(outcome.message, "mail was paused");
	assert_false(was_ready);
	assert_notified(world, NULL);
}

static void passes_everything_else_on(void **state)
{
	static const struct {
		const char *text;
		bool was_ready;
	} cases[] = {
		{ "READY=1\nSTATUS=Guests are suspended.", true },
		{ "STATUS=READY=1", false },
		{ "STOPPING=1", false },
		/* An outcome without a sentence is none. */
		{ "EXIT=3", false },
		{ "STATUS=x\nMESSAGE=y", false },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct job_outcome outcome = { 0 };
		bool was_ready = !cases[i].was_ready;

		say(world, cases[i].text);
		say(world, "EXIT=0\nMESSAGE=");
		assert_int_equal(lease_hold(world->ends[0], world->loop, &outcome, &was_ready), 0);
		assert_int_equal(outcome.result, job_result_of_number(0));
		assert_string_equal(outcome.message, "");
		assert_int_equal(was_ready, cases[i].was_ready);
		assert_notified(world, cases[i].text);
	}
}

static void notices_that_the_daemon_has_died(void **state)
{
	struct world *world = *state;
	struct job_outcome outcome = { .message = "untouched" };
	bool was_ready = false;

	say(world, "READY=1");
	hang_up(world);
	assert_int_equal(lease_hold(world->ends[0], world->loop, &outcome, &was_ready),
			 -ECONNRESET);
	assert_true(was_ready);
	assert_string_equal(outcome.message, "untouched");
	assert_notified(world, "READY=1");
}

/* The daemon learns of the signal by the end of the unit's messages, and then tells the outcome. */
static void a_signal_ends_the_sleep_and_not_the_wait(void **state)
{
	struct world *world = *state;
	struct job_outcome outcome = { 0 };
	bool was_ready = true;
	char byte;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* Until then, nothing comes. */
		for (int i = 0; i < 100; i++) {
			ssize_t n = recv(world->ends[1], &byte, 1, MSG_DONTWAIT);

			if (n == 0)
				_exit(i > 0 && send(world->ends[1], "EXIT=1\nMESSAGE=x", 16, 0) ==
							      16
					      ? 0
					      : 1);
			if (i == 3)
				kill(getppid(), SIGTERM);
			usleep(50000);
		}
		_exit(2);
	}
	assert_int_equal(lease_hold(world->ends[0], world->loop, &outcome, &was_ready), 0);
	assert_int_equal(outcome.result, job_result_of_number(1));
	assert_string_equal(outcome.message, "x");
	assert_false(was_ready);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_descriptor_that_is_none_is_an_error(void **state)
{
	struct world *world = *state;
	struct job_outcome outcome;
	bool was_ready;

	assert_int_equal(lease_hold(12345, world->loop, &outcome, &was_ready), -EBADF);
}

#define world_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(returns_what_the_daemon_says),
		world_test(passes_everything_else_on),
		world_test(notices_that_the_daemon_has_died),
		world_test(a_signal_ends_the_sleep_and_not_the_wait),
		world_test(a_descriptor_that_is_none_is_an_error),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
