/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new process resumes what a dead one has left, whatever has become of xenstored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "model/cycle.h"
#include "record/report.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/store-client.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/virtual-time.h"

static struct fake_host host;
static struct fake_laptop laptop;

static int start(void **state)
{
	(void)state;
	fake_host_start(&host);
	fake_laptop_build(&laptop, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_host_stop(&host);
	return 0;
}

/* `pmcoord suspend-all --guests-only`; then its process is killed. */
static void keep_suspended(void)
{
	struct cycle_params params = { .trigger = "test" };
	struct report *report = NULL;
	struct error error = { 0 };

	fake_host_open(&host);
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	report_free(report);
	fake_host_kill(&host);
}

static void suspend_all(void *data)
{
	struct cycle_params params = { .trigger = "test", .sleeper = &host.sleeper };
	struct report *report = NULL;
	struct error error = { 0 };

	(void)data;
	fake_host_open(&host);
	coordinator_suspend(&host.coordinator, &params, &report, &error);
	report_free(report);
	fake_host_close(&host);
}

/* A cycle whose process is killed within call number `n`. Returns whether it came to this. */
static bool suspend_until(unsigned int n)
{
	faults_on_call(n, process_kill);
	return !process_run(suspend_all, NULL);
}

static void assert_all_untouched(void)
{
	assert_untouched(laptop.netvm);
	assert_untouched(laptop.fw);
	assert_untouched(laptop.web);
	assert_untouched(laptop.mail);
	assert_untouched(laptop.vault);
}

static void assert_xenstored_knows(const struct fake_guest *guest)
{
	const struct fake_domain *domain = fake_guest_domain(guest);

	assert_true(store_resumed_us(domain->domid) >= domain->resumed_us);
}

/* Killed at any moment: xenstored learns from the next process that the guests run. */
static void tells_xenstored_what_a_dead_process_has_resumed(void **state)
{
	struct resume_result result;
	struct error error = { 0 };
	unsigned int n = 0;

	(void)state;
	while (suspend_until(++n)) {
		fake_host_open(&host);
		assert_int_equal(coordinator_recover(&host.coordinator, &result, &error), 0);
		report_free(result.report);
		fake_host_close(&host);
		assert_xenstored_knows(laptop.netvm);
		assert_xenstored_knows(laptop.fw);
		assert_xenstored_knows(laptop.web);
		assert_xenstored_knows(laptop.mail);
		assert_xenstored_knows(laptop.vault);
	}
	faults_on_call(0, NULL);
	assert_true(n > 100);
}

/* The longest that a new process needs for hypercalls alone. */
#define AT_ONCE_US 1000000

static bool was_resumed_after(const struct fake_guest *guest, uint64_t begin_us)
{
	uint64_t resumed_us = fake_guest_domain(guest)->resumed_us;

	return resumed_us >= begin_us && resumed_us - begin_us < AT_ONCE_US;
}

static void resumes_kept_guests_before_it_waits_for_xenstored(void **state)
{
	struct resume_result result;
	struct error error = { 0 };
	uint64_t begin_us;

	(void)state;
	keep_suspended();
	begin_us = virtual_time_now();
	store_client_be_silent(600000000);
	fake_host_open(&host);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_true(virtual_time_now() - begin_us >= 600000000);
	assert_true(was_resumed_after(laptop.netvm, begin_us));
	assert_true(was_resumed_after(laptop.fw, begin_us));
	assert_true(was_resumed_after(laptop.web, begin_us));
	assert_true(was_resumed_after(laptop.vault, begin_us));
	assert_ordered(laptop.web, laptop.fw);
	assert_ordered(laptop.fw, laptop.netvm);
	assert_int_equal(result.n_resumed, 5);
	assert_non_null(result.report);
	report_free(result.report);
	assert_all_untouched();
}

static void resumes_a_named_guest_before_it_waits_for_xenstored(void **state)
{
	char web[] = "web", *names[] = { web };
	struct resume_result result;
	struct error error = { 0 };
	uint64_t begin_us;

	(void)state;
	keep_suspended();
	begin_us = virtual_time_now();
	store_client_be_silent(600000000);
	fake_host_open(&host);
	assert_int_equal(coordinator_resume(&host.coordinator, names, 1, false, &result, &error),
			 0);
	assert_true(was_resumed_after(laptop.netvm, begin_us));
	assert_true(was_resumed_after(laptop.fw, begin_us));
	assert_true(was_resumed_after(laptop.web, begin_us));
	assert_true(fake_guest_domain(laptop.mail)->is_shut_down);
	assert_int_equal(result.n_resumed, 3);
	report_free(result.report);
}

static void resumes_although_xenstored_is_dead(void **state)
{
	struct resume_result result;
	struct error error = { 0 };

	(void)state;
	keep_suspended();
	store_client_stop_daemon();
	fake_host_open(&host);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(result.n_resumed, 5);
	assert_int_equal(result.n_stranded, 0);
	/* xenstored could not be told. */
	assert_true(result.degraded);
	report_free(result.report);
	assert_true(domains_is_running(fake_guest_domain(laptop.netvm)));
	assert_true(domains_is_running(fake_guest_domain(laptop.web)));
}

/* Killed at any moment, and xenstored hangs: what is recorded as suspended waits for nothing. */
static void recovers_before_it_waits_for_xenstored(void **state)
{
	struct resume_result result;
	struct error error = { 0 };
	unsigned int n = 0, n_at_once = 0;

	(void)state;
	while (suspend_until(n += 3)) {
		bool was_suspended = fake_guest_domain(laptop.netvm)->is_shut_down;
		uint64_t begin_us = virtual_time_now();

		store_client_be_silent(60000000);
		fake_host_open(&host);
		assert_int_equal(coordinator_recover(&host.coordinator, &result, &error), 0);
		report_free(result.report);
		fake_host_close(&host);
		if (was_suspended)
			assert_true(fake_guest_domain(laptop.netvm)->resumed_us <=
				    fake_guest_domain(laptop.web)->resumed_us);
		n_at_once += was_suspended && was_resumed_after(laptop.netvm, begin_us) &&
			     was_resumed_after(laptop.web, begin_us);
		virtual_time_pass(60000000);
		assert_all_untouched();
	}
	faults_on_call(0, NULL);
	assert_true(n_at_once > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
		T(resumes_kept_guests_before_it_waits_for_xenstored),
		T(resumes_a_named_guest_before_it_waits_for_xenstored),
		T(resumes_although_xenstored_is_dead),
		T(recovers_before_it_waits_for_xenstored),
		T(tells_xenstored_what_a_dead_process_has_resumed),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
