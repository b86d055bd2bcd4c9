/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A cycle that is killed within each call of Xen's libraries, or in which each call fails once:
 * every guest runs again afterwards, and nothing of ours remains in it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/config.h"
#include "record/report.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/virtual-time.h"

/* Each call takes long on a busy machine; prime, so that the steps meet calls of all kinds. */
#define STRIDE 3

static struct fake_host host;
static struct fake_laptop laptop;

static bool is_started;

static void end_world(void)
{
	if (is_started)
		fake_host_stop(&host);
	is_started = false;
}

static int stop(void **state)
{
	(void)state;
	end_world();
	return 0;
}

static void begin_world(const struct fake_guest_params *mail)
{
	fake_host_start(&host);
	is_started = true;
	fake_laptop_build(&laptop, mail);
}

static void assert_all_untouched(void)
{
	assert_untouched(laptop.netvm);
	assert_untouched(laptop.fw);
	assert_untouched(laptop.web);
	assert_untouched(laptop.mail);
	assert_untouched(laptop.vault);
}

/* Its outcome is of no matter here. */
static void run_cycle(void)
{
	struct cycle_params params = { .trigger = "test", .sleeper = &host.sleeper };
	struct report *report = NULL;
	struct error error = { 0 };

	coordinator_suspend(&host.coordinator, &params, &report, &error);
	report_free(report);
}

static void run_program(void *data)
{
	(void)data;
	fake_host_open(&host);
	run_cycle();
	fake_host_close(&host);
}

static void recover(void)
{
	struct resume_result result;
	struct error error = { 0 };

	fake_host_open(&host);
	if (coordinator_recover(&host.coordinator, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(result.report);
	fake_host_close(&host);
}

/* Returns whether the cycle was long enough to be killed in its n-th call. */
static bool is_killed_in_call(unsigned int n, const struct fake_guest_params *mail)
{
	bool was_killed;

	begin_world(mail);
	faults_on_call(n, process_kill);
	was_killed = !process_run(run_program, NULL);
	host.hypervisor = NULL;
	host.loop = NULL;
	faults_on_call(0, NULL);
	recover();
	virtual_time_pass(60000000);
	assert_all_untouched();
	end_world();
	return was_killed;
}

static void recovers_from_a_kill_in_each_call(void **state)
{
	unsigned int n = 1;

	(void)state;
	while (is_killed_in_call(n, NULL))
		n += STRIDE;
	/* Each guest alone needs several dozens. */
	assert_true(n > 200);
}

static void recovers_from_a_kill_with_a_guest_that_hangs(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_ONLY_CLEARS };
	unsigned int n = 1;

	(void)state;
	while (is_killed_in_call(n, &mail))
		n += STRIDE;
	assert_true(n > 200);
}

/* Returns whether the cycle has made n calls. */
static bool fails_in_call(unsigned int n)
{
	unsigned int before;
	bool was_reached;

	begin_world(NULL);
	fake_host_open(&host);
	before = faults_count();
	faults_fail_call(n, EIO);
	run_cycle();
	was_reached = faults_count() - before >= n;
	faults_start();
	fake_host_close(&host);
	recover();
	virtual_time_pass(60000000);
	assert_all_untouched();
	end_world();
	return was_reached;
}

static void survives_a_failure_of_each_call(void **state)
{
	unsigned int n = 1;

	(void)state;
	while (fails_in_call(n))
		n += STRIDE;
	assert_true(n > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(recovers_from_a_kill_in_each_call, stop),
		cmocka_unit_test_teardown(recovers_from_a_kill_with_a_guest_that_hangs, stop),
		cmocka_unit_test_teardown(survives_a_failure_of_each_call, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
