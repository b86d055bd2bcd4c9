/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sleep within sleep.target, with a simulated sleep manager. */

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
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/loop.h"
#include "model/sleep-manager.h"
#include "model/sleeper.h"
#include "host/loop-event.h"
#include "host/sleep-manager-systemd.h"
#include "host/roots.h"
#include "host/sleeper-host.h"
#include "tests/unit/tree.h"

struct world {
	struct sleep_manager manager;
	struct sleep_job job;
	bool is_mute; /* does not answer */
	unsigned int awaited;
	int await_error;
	struct loop *loop;
	struct sleeper *sleeper;
	uint64_t slept_us; /* since boot */
	uint64_t night_us; /* duration of the sleep that is waited for */
	char sys[64];
	int lease[2];
};

static struct world *world_of(struct sleep_manager *manager)
{
	return (struct world *)manager;
}

static int look(struct sleep_manager *manager, struct sleep_job *ret_job)
{
	if (world_of(manager)->is_mute)
		return -ENOTCONN;
	*ret_job = world_of(manager)->job;
	return 0;
}

static uint64_t slept_us(struct sleep_manager *manager)
{
	return world_of(manager)->slept_us;
}

static int await_end(struct sleep_manager *manager, struct loop *loop, uint64_t slept_before_us)
{
	(void)loop;
	assert_int_equal(slept_before_us, world_of(manager)->slept_us);
	world_of(manager)->awaited++;
	world_of(manager)->slept_us += world_of(manager)->night_us;
	return world_of(manager)->await_error;
}

static const struct sleep_manager_ops manager_ops = {
	.get_state = look,
	.slept_us = slept_us,
	.await_end = await_end,
};

static void write_attribute(const struct world *world, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/power/%s", world->sys, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct error error = { 0 };
	char command[256];

	world->manager.ops = &manager_ops;
	strcpy(world->sys, "/tmp/pmcoord-test-XXXXXX");
	assert_non_null(mkdtemp(world->sys));
	snprintf(command, sizeof(command), "mkdir -p %s/power/suspend_stats %s/run/systemd",
		 world->sys, world->sys);
	assert_int_equal(system(command), 0);
	write_attribute(world, "state", "freeze mem disk\n");
	write_attribute(world, "mem_sleep", "s2idle [deep]\n");
	write_attribute(world, "suspend_stats/success", "3\n");
	assert_int_equal(loop_new(NULL, &world->loop, &error), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, world->lease), 0);
	assert_int_equal(sleeper_systemd_new(world->sys, world->sys, world->lease[0],
					     &world->manager, &world->sleeper),
			 0);
	*state = world;
	return 0;
}

static int close_world(void **state)
{
	struct world *world = *state;
	int r;

	sleeper_free(world->sleeper);
	loop_free(world->loop);
	close(world->lease[0]);
	close(world->lease[1]);
	r = tree_remove_all(world->sys);
	free(world);
	return r;
}

static void refuses_hibernation_with_advice(void **state)
{
	static const enum sleep_kind kinds[] = {
		SLEEP_KIND_HIBERNATE,
		SLEEP_KIND_HYBRID_SLEEP,
		SLEEP_KIND_SUSPEND_THEN_HIBERNATE,
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
		struct error error = { 0 };

		world->job = (struct sleep_job){ kinds[i], true };
		assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), -EOPNOTSUPP);
		assert_int_equal(error.outcome, OUTCOME_UNSUPPORTED);
		assert_non_null(strstr(error_text(&error), sleep_kind_unit(kinds[i])));
		assert_non_null(strstr(error_text(&error), "use 'systemctl suspend' instead"));
	}
}

/* -ENOENT means a kernel without suspend, and is no usage error. */
static void a_host_without_a_power_state_cannot_sleep(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	char path[96];

	snprintf(path, sizeof(path), "%s/power/state", world->sys);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), -ENOENT);
	assert_int_equal(error.outcome, OUTCOME_UNSUPPORTED);
	assert_non_null(strstr(error_text(&error), "/power/state"));
}

static void suspends_if_the_kind_of_sleep_is_unknown(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };

	world->is_mute = true;
	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
}

static bool has_drop_in(const struct world *world)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/run/systemd/sleep.conf.d/~pmcoord.conf", world->sys);
	return access(path, F_OK) == 0;
}

static void leaves_systemd_nothing_but_s3_until_the_end(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	struct roots roots;

	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
	assert_true(has_drop_in(world));
	world->sleeper->ops->finish(world->sleeper);
	assert_false(has_drop_in(world));
	/* The process dies. */
	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
	assert_int_equal(roots_init_simulation(world->sys, &roots), 0);
	sleeper_undo_changes(&roots);
	roots_done(&roots);
	assert_false(has_drop_in(world));
}

static void refuses_to_sleep_if_systemd_could_try_another_state(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	char command[256];

	snprintf(
		command, sizeof(command),
		"mkdir -p %s/etc/systemd/sleep.conf.d && printf '[Sleep]\nSuspendState=freeze\n' > %s/etc/systemd/sleep.conf.d/~~late.conf",
		world->sys, world->sys);
	assert_int_equal(system(command), 0);
	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), -EOPNOTSUPP);
	assert_non_null(strstr(error_text(&error), "~~late.conf"));
	assert_false(has_drop_in(world));
}

/* The lease's holder was killed, but systemd still enters the sleep. */
static void waits_for_a_sleep_that_continues(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	char words[128] = "";
	uint64_t slept;

	world->job = (struct sleep_job){ SLEEP_KIND_SUSPEND, true };
	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
	raise(SIGTERM);
	assert_int_equal(world->sleeper->ops->enter(world->sleeper, world->loop, &slept, &error),
			 -ECANCELED);
	assert_int_equal(world->awaited, 1);
	assert_true(recv(world->lease[1], words, sizeof(words) - 1, 0) > 0);
	assert_string_equal(words, "READY=1\nSTATUS=Guests are suspended; the host may sleep.");
	memset(words, 0, sizeof(words));
	assert_true(recv(world->lease[1], words, sizeof(words) - 1, 0) > 0);
	assert_string_equal(words, "STOPPING=1\nSTATUS=Resuming guests.\n"
				   "EXTEND_TIMEOUT_USEC=3700000000");
	assert_int_equal(recv(world->lease[1], words, sizeof(words), MSG_DONTWAIT), -1);
}

static void detects_that_the_host_has_slept(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	uint64_t slept;

	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
	write_attribute(world, "suspend_stats/success", "4\n");
	raise(SIGTERM);
	assert_int_equal(world->sleeper->ops->enter(world->sleeper, world->loop, &slept, &error),
			 0);
}

/* The process runs again before the kernel has counted the sleep. */
static void detects_the_sleep_before_the_kernel_counts_it(void **state)
{
	struct world *world = *state;
	struct error error = { 0 };
	uint64_t slept;

	world->night_us = 7000000;
	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
	raise(SIGTERM);
	assert_int_equal(world->sleeper->ops->enter(world->sleeper, world->loop, &slept, &error),
			 0);
	assert_int_equal(slept, 7000000);
}

/* Slept times that are computed from two clocks differ a little: that is no sleep. */
static void a_short_time_is_no_sleep(void **state)
{
	static const struct {
		uint64_t night_us;
		int expected;
	} cases[] = {
		{ SLEEP_MIN_US - 1, -ECANCELED },
		{ SLEEP_MIN_US, 0 },
		/* The clocks seem to go back. */
		{ -(uint64_t)5, -ECANCELED },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct error error = { 0 };
		uint64_t slept = 77;

		world->slept_us = 10;
		world->night_us = cases[i].night_us;
		assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
		raise(SIGTERM);
		assert_int_equal(
			world->sleeper->ops->enter(world->sleeper, world->loop, &slept, &error),
			cases[i].expected);
		assert_int_equal(slept, cases[i].expected < 0 ? 77 : cases[i].night_us);
		if (cases[i].expected < 0)
			assert_string_equal(
				error_text(&error),
				"the host did not sleep: the kernel aborted the suspend; see journalctl -k");
	}
}

static int fail_to_wait(struct loop *loop, uint64_t deadline_us)
{
	(void)loop;
	assert_int_equal(deadline_us, LOOP_FOREVER);
	return -EIO;
}

static void says_that_a_wait_has_failed(void **state)
{
	static const struct loop_ops broken_ops = { .wait = fail_to_wait };
	struct loop broken = { .ops = &broken_ops };
	struct world *world = *state;
	struct error error = { 0 };
	uint64_t slept;

	assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
	assert_int_equal(world->sleeper->ops->enter(world->sleeper, &broken, &slept, &error), -EIO);
	assert_string_equal(error_text(&error),
			    "cannot wait for the host's sleep: Input/output error");
	assert_int_equal(world->awaited, 0);
	error = (struct error){ 0 };
	world->await_error = -EPIPE;
	raise(SIGTERM);
	assert_int_equal(world->sleeper->ops->enter(world->sleeper, world->loop, &slept, &error),
			 -EPIPE);
	assert_string_equal(error_text(&error),
			    "cannot wait for the end of the host's sleep: Broken pipe");
}

/* Without a manager, the kernel's counter and the clocks tell. */
static void needs_no_manager(void **state)
{
	struct world *world = *state;

	sleeper_free(world->sleeper);
	assert_int_equal(
		sleeper_systemd_new(world->sys, world->sys, world->lease[0], NULL, &world->sleeper),
		0);
	for (int sleeps = 0; sleeps < 2; sleeps++) {
		struct error error = { 0 };
		uint64_t slept;

		write_attribute(world, "suspend_stats/success", "3\n");
		assert_int_equal(world->sleeper->ops->prepare(world->sleeper, &error), 0);
		if (sleeps)
			write_attribute(world, "suspend_stats/success", "4\n");
		raise(SIGTERM);
		assert_int_equal(
			world->sleeper->ops->enter(world->sleeper, world->loop, &slept, &error),
			sleeps ? 0 : -ECANCELED);
		assert_int_equal(world->awaited, 0);
		if (sleeps)
			assert_true(slept < SLEEP_MIN_US);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(refuses_hibernation_with_advice),
		TEST(a_host_without_a_power_state_cannot_sleep),
		TEST(suspends_if_the_kind_of_sleep_is_unknown),
		TEST(leaves_systemd_nothing_but_s3_until_the_end),
		TEST(refuses_to_sleep_if_systemd_could_try_another_state),
		TEST(waits_for_a_sleep_that_continues),
		TEST(detects_that_the_host_has_slept),
		TEST(detects_the_sleep_before_the_kernel_counts_it),
		TEST(a_short_time_is_no_sleep),
		TEST(says_that_a_wait_has_failed),
		TEST(needs_no_manager),
	};

	return cmocka_run_group_tests_name("sleeper", tests, NULL, NULL);
}
