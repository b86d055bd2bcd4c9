/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that others pause, unpause, resume, shut down or build in the middle of a cycle. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "record/report.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/toolstacks.h"
#include "tests/fakexen/virtual-time.h"

static struct fake_host host;
static struct fake_laptop laptop;

static int start(void **state)
{
	(void)state;
	fake_host_start(&host);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_host_stop(&host);
	return 0;
}

/* Between the cases of one test. */
static void restart(void)
{
	fake_host_stop(&host);
	fake_host_start(&host);
}

static void assert_reported(const struct report *report, const char *name,
			    enum cycle_outcome outcome, const char *detail)
{
	const struct report_guest *guest = fake_host_reported(report, name);

	assert_int_equal(guest->outcome, outcome);
	if (!strstr(guest->detail, detail))
		fail_msg("'%s' is not in '%s'", detail, guest->detail);
}

/* ---- shutting down ------------------------------------------------------- */

static void text_in_an_own_node_buys_no_free_pass(void **state)
{
	static const char *const texts[] = { "reboot", "poweroff", "halt", "no word of Xen" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
		struct report *report;

		fake_laptop_build(&laptop, &mail);
		store_write_as(fake_guest_domid(laptop.mail), "control/shutdown", texts[i]);
		fake_host_open(&host);
		report = fake_host_cycle(&host);
		assert_int_equal(report->result, RESULT_DEGRADED);
		assert_int_equal(host.n_ran_through, 0);
		assert_reported(report, "mail", OUTCOME_PAUSED,
				"is shutting down, and still runs after 10 s");
		assert_string_equal(store_text(fake_guest_path(laptop.mail, "control/shutdown")),
				    texts[i]);
		assert_untouched(laptop.mail);
		assert_untouched(laptop.fw);
		report_free(report);
		restart();
	}
}

/* It may be what a save has written, so the guest is not touched. */
static void text_of_a_save_is_waited_for(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	store_write_as(fake_guest_domid(laptop.mail), "control/shutdown", "suspend");
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_int_equal(report->result, RESULT_DEGRADED);
	assert_reported(report, "mail", OUTCOME_SKIPPED, "being saved or migrated");
	assert_reported(report, "mail", OUTCOME_SKIPPED, "did not suspend within 10 s");
	assert_int_equal(fake_guest_domain(laptop.mail)->n_suspended, 0);
	assert_true(fake_guest_domain(laptop.fw)->suspended_us > 10000000);
	report_free(report);
}

/* Its kernel has not come to the request yet. */
static void waits_for_a_guest_that_shuts_down(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .acknowledge_us = 8000000 };
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	virtual_time_pass(20000000);
	toolstack_shut_down(fake_guest_domid(laptop.mail), false);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_int_equal(host.n_ran_through, 0);
	assert_true(fake_guest_domain(laptop.fw)->suspended_us > 28000000);
	assert_reported(report, "mail", OUTCOME_SKIPPED, "has shut down");
	assert_int_equal(report->result, RESULT_OK);
	report_free(report);
}

/* ---- paused by its user -------------------------------------------------- */

static void pause_guest(void *guest)
{
	toolstack_pause(fake_guest_domid(guest));
}

static void unpause_guest(void *guest)
{
	toolstack_unpause(fake_guest_domid(guest));
}

static void pause_by_its_user_counts_as_suspended(void **state)
{
	/* After the request; while it waits for others; long after the request. */
	static const struct {
		uint64_t after_us, suspend_us;
		bool pauses_fw;
	} cases[] = {
		{ 1, 0, false },	   { 20000, 0, false },
		{ 200000, 500000, false }, { 3000000, 8000000, false },
		{ 20000, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_guest_params mail = { .name = "mail",
						  .suspend_us = cases[i].suspend_us };
		struct fake_guest *paused;
		struct report *report;
		uint64_t begin_us;

		fake_laptop_build(&laptop, &mail);
		paused = cases[i].pauses_fw ? laptop.fw : laptop.mail;
		fake_host_open(&host);
		begin_us = virtual_time_now();
		virtual_time_after(cases[i].after_us, pause_guest, paused);
		report = fake_host_cycle(&host);
		assert_int_equal(report->result, RESULT_OK);
		assert_int_equal(host.n_ran_through, 0);
		/* Not more is lost than has passed before the pause, and one look. */
		assert_in_range(host.slept_at_us - begin_us, 0, 2 * cases[i].after_us + 1000000);
		assert_reported(report, cases[i].pauses_fw ? "fw" : "mail", OUTCOME_SKIPPED,
				"paused");
		assert_int_equal(fake_guest_domain(paused)->pauses, 1);
		assert_untouched(laptop.web);
		report_free(report);
		restart();
	}
}

/* Paused before the cycle or in it, and unpaused before its end: it runs again, and is asked. */
static void guest_that_is_unpaused_meanwhile_is_suspended(void **state)
{
	static const struct {
		uint64_t paused_us; /* 0: before the cycle */
		uint64_t unpaused_us;
	} cases[] = { { 0, 20000 }, { 0, 600000 }, { 20000, 600000 }, { 20000, 1900000 } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_guest_params slow = { .name = "slow", .suspend_us = 2000000 };
		struct report *report;

		fake_laptop_build(&laptop, NULL);
		fake_guest_build(&slow);
		if (cases[i].paused_us == 0)
			toolstack_pause(fake_guest_domid(laptop.mail));
		fake_host_open(&host);
		if (cases[i].paused_us > 0)
			virtual_time_after(cases[i].paused_us, pause_guest, laptop.mail);
		virtual_time_after(cases[i].unpaused_us, unpause_guest, laptop.mail);
		report = fake_host_cycle(&host);
		assert_int_equal(host.n_ran_through, 0);
		/* If it has acknowledged a request before the pause, it suspends by that. */
		assert_reported(report, "mail",
				cases[i].paused_us ? OUTCOME_SKIPPED : OUTCOME_SUSPENDED, "paused");
		assert_int_equal(report->result, RESULT_OK);
		virtual_time_pass(60000000);
		assert_runs(laptop.mail);
		report_free(report);
		restart();
	}
}

/* ---- being built --------------------------------------------------------- */

static void finish_building(void *guest)
{
	domains_unpause(fake_guest_domain(guest));
}

static void guest_under_construction_is_paused_until_the_wake(void **state)
{
	/* When its builder unpauses it: in the cycle, or when the host is awake again. */
	static const uint64_t cases[] = { 20000, 10000000 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_guest_params params = { .name = "young", .still_built = true };
		struct fake_guest *young;
		struct report *report;

		fake_laptop_build(&laptop, NULL);
		young = fake_guest_build(&params);
		fake_host_open(&host);
		virtual_time_after(cases[i], finish_building, young);
		report = fake_host_cycle(&host);
		assert_int_equal(host.n_ran_through, 0);
		assert_int_equal(report->result, RESULT_OK);
		assert_reported(report, "young", OUTCOME_SKIPPED,
				"is being built; paused until the host wakes");
		virtual_time_pass(20000000);
		assert_runs(young);
		report_free(report);
		restart();
	}
}

static void run_program(void *data)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };

	fake_host_open(&host);
	if (data)
		report_free(fake_host_cycle(&host));
	else
		assert_int_equal(
			coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	report_free(result.report);
	fake_host_close(&host);
}

/* Its builder alone lets it run, whenever pmcoord is killed: before that it is not complete. */
static void guest_under_construction_never_runs_early(void **state)
{
	bool is_cycle = true, was_killed = true;

	(void)state;
	for (unsigned int n = 1; was_killed; n++) {
		struct fake_guest_params params = { .name = "young", .still_built = true };
		struct fake_guest *young = fake_guest_build(&params);

		faults_on_call(n, process_kill);
		was_killed = !process_run(run_program, &is_cycle);
		faults_on_call(0, NULL);
		process_run(run_program, NULL);
		assert_true(fake_guest_domain(young)->pauses > 0);
		host.hypervisor = NULL;
		host.loop = NULL;
		restart();
	}
}

/* ---- kept suspended ------------------------------------------------------ */

static struct report *suspend_guests(void)
{
	struct cycle_params params = { .trigger = "test" };
	struct report *report = NULL;
	struct error error = { 0 };

	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	return report;
}

static void guest_that_its_owner_resumed_is_his_again(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	struct resume_result result = { 0 };
	struct error error = { 0 };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	report_free(suspend_guests());
	toolstack_resume(fake_guest_domid(laptop.vault));
	toolstack_unpause(fake_guest_domid(laptop.mail));
	toolstack_destroy(fake_guest_domid(laptop.web));
	virtual_time_pass(10000000);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(result.n_resumed, 2);
	assert_reported(result.report, "vault", OUTCOME_SUSPENDED, "resumed by its user");
	assert_true(fake_host_reported(result.report, "web")->gone);
	assert_untouched(laptop.vault);
	report_free(result.report);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(text_in_an_own_node_buys_no_free_pass),
		TEST(text_of_a_save_is_waited_for),
		TEST(waits_for_a_guest_that_shuts_down),
		TEST(pause_by_its_user_counts_as_suspended),
		TEST(guest_that_is_unpaused_meanwhile_is_suspended),
		TEST(guest_under_construction_is_paused_until_the_wake),
		TEST(guest_under_construction_never_runs_early),
		TEST(guest_that_its_owner_resumed_is_his_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
