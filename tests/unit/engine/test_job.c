/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of jobs, and what a job refuses before it starts. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/loop.h"
#include "host/lid.h"
#include "engine/backoff.h"
#include "engine/host-env.h"
#include "engine/job.h"
#include "tests/unit/simulated_host.h"

/* Makes the first mounted disk of the machine that runs this test a Xen disk. */
static void mount_from_a_guest(struct host *host)
{
	char device[32], command[512];
	FILE *mounts = fopen("/proc/self/mountinfo", "r");

	assert_non_null(mounts);
	assert_int_equal(fscanf(mounts, "%*s %*s %31s", device), 1);
	fclose(mounts);
	snprintf(command, sizeof(command),
		 "mkdir -p %s && cd %s && mkdir -p dev/block "
		 "devices/vbd-51712/block/xvda && "
		 "ln -s ../../devices/vbd-51712/block/xvda dev/block/%s",
		 host->roots.sys, host->roots.sys, device);
	assert_int_equal(system(command), 0);
}

static void run(struct host *host, enum job_verb verb, struct job_outcome *ret_outcome)
{
	struct job job = { .verb = verb };

	job_run(&host->coordinator, &job, host->sleeper, ret_outcome);
	assert_all_running(host);
	assert_no_journal(host);
}

static void systemd_cannot_sleep_on_a_disk_that_a_guest_serves(void **state)
{
	struct job_outcome outcome;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	run(&host, JOB_SLEEP, &outcome);
	assert_int_equal(outcome.result, JOB_RESULT_DONE);
	job_outcome_done(&outcome);
	mount_from_a_guest(&host);
	run(&host, JOB_SLEEP, &outcome);
	assert_int_equal(outcome.result, JOB_RESULT_UNSUPPORTED);
	/* A refused sleep leaves a report with its reason. */
	assert_non_null(outcome.report);
	assert_non_null(strstr(outcome.report->detail, "is mounted from xvda"));
	assert_non_null(strstr(outcome.message, "is mounted from xvda"));
	assert_non_null(strstr(outcome.message, "use 'pmcoord suspend-all'"));
	job_outcome_done(&outcome);
	/* Without systemd pmcoord can. */
	run(&host, JOB_SUSPEND_ALL, &outcome);
	assert_int_equal(outcome.result, JOB_RESULT_DONE);
	assert_non_null(outcome.report);
	job_outcome_done(&outcome);
	host_done(&host);
}

/* A closed lid, which is moved through `*ret_hand`. */
static struct lid *make_lid(int *ret_hand)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	*ret_hand = fds[0];
	return lid_new(fds[1], true);
}

static void ignores_a_lid_whose_device_was_removed(void **state)
{
	struct job_outcome outcome;
	struct host host;
	int hand;

	(void)state;
	host_init_laptop(&host, "");
	host.coordinator.lid = make_lid(&hand);
	assert_int_equal(backoff_note_failure(host.roots.run, loop_now(host.loop), "no"), 0);
	run(&host, JOB_SLEEP, &outcome);
	assert_null(outcome.report);
	assert_non_null(strstr(outcome.message, "the lid is still closed"));
	job_outcome_done(&outcome);
	/* Without a lid there is no back-off. */
	close(hand);
	run(&host, JOB_SLEEP, &outcome);
	assert_int_equal(outcome.result, JOB_RESULT_DONE);
	assert_non_null(outcome.report);
	job_outcome_done(&outcome);
	lid_free(host.coordinator.lid);
	host_done(&host);
}

static void each_kind_of_job_is_described(void **state)
{
	(void)state;
	for (enum job_verb verb = 0; verb < JOB_N_VERBS; verb++) {
		const struct job_kind *kind = job_kind(verb);
		enum job_verb found = JOB_N_VERBS;

		assert_non_null(kind->name);
		assert_non_null(kind->run);
		assert_int_equal(kind->sleep == JOB_SLEEPS_NEVER, kind->sleeper == SLEEPER_NONE);
		if (!kind->method)
			continue;
		assert_int_equal(job_verb_of_method(kind->method, &found), 0);
		assert_int_equal(found, verb);
	}
	assert_int_equal(job_verb_of_method("Status", &(enum job_verb){ 0 }), -ENOENT);
}

static void an_error_decides_the_result_by_its_outcome_alone(void **state)
{
	static const struct {
		enum error_outcome outcome;
		enum job_result result;
	} cases[] = {
		{ OUTCOME_UNEXPECTED, JOB_RESULT_ROLLED_BACK },
		{ OUTCOME_USAGE, JOB_RESULT_INVALID },
		{ OUTCOME_NOT_FOUND, JOB_RESULT_INVALID },
		{ OUTCOME_UNSUPPORTED, JOB_RESULT_UNSUPPORTED },
		{ OUTCOME_NOT_PERMITTED, JOB_RESULT_UNSUPPORTED },
		{ OUTCOME_BUSY, JOB_RESULT_BUSY },
		{ OUTCOME_UNRECOVERABLE, JOB_RESULT_STRANDED },
	};
	static const int numbers[] = { -EIO, -ENOENT, -EINVAL, -EBUSY, -EPERM };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		for (size_t j = 0; j < ELEMENTSOF(numbers); j++) {
			struct error error = {
				.number = numbers[j],
				.outcome = cases[i].outcome,
			};

			assert_int_equal(job_result_of_error(&error), cases[i].result);
		}
	}
}

static void converts_a_number_to_a_result(void **state)
{
	(void)state;
	for (int number = 0; number <= 6; number++)
		assert_int_equal(job_result_of_number(number), number);
	assert_int_equal(job_result_of_number(-1), JOB_RESULT_ROLLED_BACK);
	assert_int_equal(job_result_of_number(7), JOB_RESULT_ROLLED_BACK);
}

static void a_report_that_cannot_be_written_changes_no_result(void **state)
{
	struct job job = { .verb = JOB_CYCLE };
	struct job_outcome outcome;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	assert_int_equal(symlink("/nonexistent/reports", host.roots.reports), 0);
	job_run(&host.coordinator, &job, NULL, &outcome);
	assert_all_running(&host);
	assert_int_equal(outcome.result, JOB_RESULT_DONE);
	assert_non_null(strstr(outcome.report->warnings.texts[0], "cannot write the report"));
	job_outcome_done(&outcome);
	host_done(&host);
}

static void sleeps_as_its_options_request(void **state)
{
	static const struct {
		struct job job;
		bool sleeps;
	} cases[] = {
		{ { .verb = JOB_SUSPEND_ALL }, true },
		{ { .verb = JOB_SUSPEND_ALL, .guests_only = true }, false },
		{ { .verb = JOB_SLEEP }, true },
		{ { .verb = JOB_SLEEP, .guests_only = true }, true },
		{ { .verb = JOB_CYCLE }, false },
		{ { .verb = JOB_CYCLE, .with_sleep = true }, true },
		{ { .verb = JOB_SUSPEND, .with_sleep = true }, false },
		{ { .verb = JOB_RESUME_ALL }, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(job_sleeps(&cases[i].job), cases[i].sleeps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_job_is_described),
		cmocka_unit_test(sleeps_as_its_options_request),
		cmocka_unit_test(an_error_decides_the_result_by_its_outcome_alone),
		cmocka_unit_test(converts_a_number_to_a_result),
		cmocka_unit_test(a_report_that_cannot_be_written_changes_no_result),
		cmocka_unit_test(systemd_cannot_sleep_on_a_disk_that_a_guest_serves),
		cmocka_unit_test(ignores_a_lid_whose_device_was_removed),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
