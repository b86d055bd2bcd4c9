/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The delay after attempts to sleep that failed with a closed lid. */

#include <errno.h>
#include <linux/input.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "base/directory.h"
#include "model/loop.h"
#include "host/lid.h"
#include "engine/backoff.h"
#include "engine/job.h"
#include "tests/unit/simulated_host.h"

#define SECOND_US 1000000ull
#define BEGIN_US (1000 * SECOND_US)

static int run_make(void **state)
{
	char *directory = strdup("/tmp/pmcoord-test-XXXXXX");

	*state = directory;
	return directory && mkdtemp(directory) ? 0 : -1;
}

static int run_remove(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/failed-sleeps", (char *)*state);
	unlink(path);
	rmdir(*state);
	free(*state);
	return 0;
}

static void assert_refused_until(const char *run, uint64_t due_us)
{
	struct error error = { 0 };

	assert_int_equal(backoff_check(run, due_us - 1, &error), -EAGAIN);
	assert_int_equal(backoff_check(run, due_us, NULL), 0);
}

static void does_not_wait_without_a_failure(void **state)
{
	assert_int_equal(backoff_check(*state, 0, NULL), 0);
	assert_int_equal(backoff_check(*state, BEGIN_US, NULL), 0);
}

static void waits_twice_as_long_each_time_up_to_15_min(void **state)
{
	static const uint64_t delays_s[] = { 30, 60, 120, 240, 480, 900, 900 };
	uint64_t now_us = BEGIN_US;

	for (size_t i = 0; i < ELEMENTSOF(delays_s); i++) {
		assert_int_equal(backoff_note_failure(*state, now_us, "why"), 0);
		assert_refused_until(*state, now_us + delays_s[i] * SECOND_US);
		now_us += delays_s[i] * SECOND_US;
	}
}

static void names_the_failure_and_the_next_attempt(void **state)
{
	struct error error = { 0 };

	assert_int_equal(backoff_note_failure(*state, BEGIN_US, "guest 'mail'\nheld it up"), 0);
	assert_int_equal(backoff_check(*state, BEGIN_US + SECOND_US / 2, &error), -EAGAIN);
	/* The text of a guest cannot add lines. */
	assert_null(strchr(error.text, '\n'));
	assert_non_null(strstr(error.text, "guest 'mail'?held it up"));
	assert_non_null(strstr(error.text, "due in 30 s"));
}

static void a_reset_ends_the_delay(void **state)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(backoff_note_failure(*state, BEGIN_US, "why"), 0);
	backoff_forget(*state);
	assert_int_equal(backoff_check(*state, BEGIN_US, NULL), 0);
	assert_int_equal(backoff_note_failure(*state, BEGIN_US, "why"), 0);
	assert_refused_until(*state, BEGIN_US + 30 * SECOND_US);
	/* A reset without a failure is no error. */
	backoff_forget(*state);
	backoff_forget(*state);
}

static void a_damaged_file_delays_no_sleep(void **state)
{
	static const char *const damaged[] = {
		"",
		"3\n",
		"3\n1000000000\n",
		"x\n1000000000\nwhy\n",
		"-1\n1000000000\nwhy\n",
		/* A time in the future is from another boot. */
		"3\n9223372036854775807\nwhy\n",
	};
	char path[64];

	snprintf(path, sizeof(path), "%s/failed-sleeps", (char *)*state);
	for (size_t i = 0; i < ELEMENTSOF(damaged); i++) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(damaged[i], file);
		fclose(file);
		assert_int_equal(backoff_check(*state, BEGIN_US, NULL), 0);
	}
}

static void a_missing_run_directory_is_reported(void **state)
{
	(void)state;
	assert_int_equal(backoff_note_failure("/nonexistent", BEGIN_US, "why"), -ENOENT);
}

/* ---- the lid's sleep ---------------------------------------------------- */

struct world {
	struct host host;
	int hand; /* the socket that moves the lid */
};

static int world_make(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	int fds[2];

	host_prepare(&world->host);
	host_write(&world->host, "[Host]\nS3=refuse\n[Guest \"mail\"]\n");
	host_open(&world->host);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	world->hand = fds[0];
	world->host.coordinator.lid = lid_new(fds[1], true);
	*state = world;
	return 0;
}

static int world_remove(void **state)
{
	struct world *world = *state;

	lid_free(world->host.coordinator.lid);
	close(world->hand);
	host_done(&world->host);
	free(world);
	return 0;
}

static void move_lid(struct world *world, bool closes)
{
	struct input_event event = {
		.type = EV_SW,
		.code = SW_LID,
		.value = closes,
	};

	assert_int_equal(send(world->hand, &event, sizeof(event), 0), sizeof(event));
}

static void pass_time(struct world *world, uint64_t span_us)
{
	struct loop *loop = world->host.loop;
	uint64_t until_us = loop_now(loop) + span_us;

	while (loop_now(loop) < until_us)
		assert_int_equal(loop->ops->wait(loop, until_us), 0);
}

/* Tries to sleep, which this host refuses. Returns whether guests were suspended. */
static bool tries_to_sleep(struct world *world, enum job_verb verb)
{
	struct job job = { .verb = verb };
	struct job_outcome outcome;
	bool tries;

	job_run(&world->host.coordinator, &job, world->host.sleeper, &outcome);
	tries = outcome.report != NULL;
	assert_int_equal(outcome.result, JOB_RESULT_ROLLED_BACK);
	if (!tries)
		assert_non_null(strstr(outcome.message, "the next attempt"));
	assert_no_journal(&world->host);
	job_outcome_done(&outcome);
	return tries;
}

static void requests_no_guest_after_a_failed_sleep(void **state)
{
	struct world *world = *state;

	assert_true(tries_to_sleep(world, JOB_SLEEP));
	assert_false(tries_to_sleep(world, JOB_SLEEP));
	/* A refused attempt does not extend the delay. */
	assert_false(tries_to_sleep(world, JOB_SLEEP));
	pass_time(world, 31 * SECOND_US);
	assert_true(tries_to_sleep(world, JOB_SLEEP));
	pass_time(world, 31 * SECOND_US);
	assert_false(tries_to_sleep(world, JOB_SLEEP));
	pass_time(world, 31 * SECOND_US);
	assert_true(tries_to_sleep(world, JOB_SLEEP));
}

static void an_opened_lid_resets_the_delay(void **state)
{
	struct world *world = *state;

	assert_true(tries_to_sleep(world, JOB_SLEEP));
	assert_false(tries_to_sleep(world, JOB_SLEEP));
	move_lid(world, false);
	move_lid(world, true);
	assert_true(tries_to_sleep(world, JOB_SLEEP));
	assert_false(tries_to_sleep(world, JOB_SLEEP));
}

static void does_not_back_off_with_an_open_lid_or_without_one(void **state)
{
	struct world *world = *state;

	move_lid(world, false);
	assert_true(tries_to_sleep(world, JOB_SLEEP));
	assert_null(world->host.coordinator.lid);
	assert_true(tries_to_sleep(world, JOB_SLEEP));
}

static void does_not_refuse_a_manual_request(void **state)
{
	struct world *world = *state;

	assert_true(tries_to_sleep(world, JOB_SLEEP));
	assert_true(tries_to_sleep(world, JOB_SUSPEND_ALL));
}

static void put(const char *directory, const char *name, const char *text)
{
	char path[192];
	FILE *file;

	snprintf(path, sizeof(path), "%s/power_supply/BAT0/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void never_refuses_on_a_low_battery(void **state)
{
	static const char *const made[] = { "class", "class/power_supply",
					    "class/power_supply/BAT0" };
	struct world *world = *state;
	char path[128];

	assert_true(tries_to_sleep(world, JOB_SLEEP));
	for (size_t i = 0; i < ELEMENTSOF(made); i++) {
		snprintf(path, sizeof(path), "%s/%s", world->host.directory, made[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	snprintf(path, sizeof(path), "%s/class", world->host.directory);
	put(path, "type", "Battery\n");
	put(path, "status", "Discharging\n");
	put(path, "capacity", "4\n");
	assert_true(tries_to_sleep(world, JOB_SLEEP));
}

/* A directory is in place of the file. */
static void a_failure_that_cannot_be_recorded_leaves_no_file(void **state)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/failed-sleeps/x", (char *)*state);
	assert_int_equal(directory_make(path), 0);
	assert_int_equal(backoff_note_failure(*state, BEGIN_US, "why"), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	strcat(path, ".new");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(backoff_check(*state, BEGIN_US + 1, NULL), 0);
}

static void says_attempts_after_the_second_failure(void **state)
{
	struct error error = { 0 };

	assert_int_equal(backoff_note_failure(*state, BEGIN_US, "why"), 0);
	assert_int_equal(backoff_check(*state, BEGIN_US + 1, &error), -EAGAIN);
	assert_non_null(strstr(error_text(&error), "the last attempt failed (why)"));
	assert_int_equal(backoff_note_failure(*state, BEGIN_US, "why not"), 0);
	error = (struct error){ 0 };
	assert_int_equal(backoff_check(*state, BEGIN_US + 1, &error), -EAGAIN);
	assert_non_null(strstr(error_text(&error), "the last attempts failed (why not)"));
}

#define WORLD(name) cmocka_unit_test_setup_teardown(name, world_make, world_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(does_not_wait_without_a_failure, run_make,
						run_remove),
		cmocka_unit_test_setup_teardown(waits_twice_as_long_each_time_up_to_15_min,
						run_make, run_remove),
		cmocka_unit_test_setup_teardown(names_the_failure_and_the_next_attempt, run_make,
						run_remove),
		cmocka_unit_test_setup_teardown(a_reset_ends_the_delay, run_make, run_remove),
		cmocka_unit_test_setup_teardown(a_failure_that_cannot_be_recorded_leaves_no_file,
						run_make, run_remove),
		cmocka_unit_test_setup_teardown(says_attempts_after_the_second_failure, run_make,
						run_remove),
		cmocka_unit_test_setup_teardown(a_damaged_file_delays_no_sleep, run_make,
						run_remove),
		cmocka_unit_test(a_missing_run_directory_is_reported),
		WORLD(requests_no_guest_after_a_failed_sleep),
		WORLD(an_opened_lid_resets_the_delay),
		WORLD(does_not_back_off_with_an_open_lid_or_without_one),
		WORLD(does_not_refuse_a_manual_request),
		WORLD(never_refuses_on_a_low_battery),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
