/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Cycles in which no event arrives, or a request cannot be retracted. The state of each guest is
 * read once more after a while, after twice as long …, at its timeout and at the deadline.
 */

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "base/moment.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/report.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

static const struct hypervisor_ops *ops_below;
static struct hypervisor_ops ops;

static void host_init(struct host *host, const char *scenario)
{
	host_prepare(host);
	host_write(host, scenario);
	host_open(host);
	ops_below = host->hypervisor->ops;
	ops = *ops_below;
	host->hypervisor->ops = &ops;
}

/* Takes the event, and reports none. */
static int lose_event(struct hypervisor *hypervisor, uint32_t *ret_domid)
{
	int r;

	while ((r = ops_below->next_event(hypervisor, ret_domid)) > 0)
		;
	return r;
}

static struct report *run_cycle(struct host *host)
{
	struct cycle_params params = { .trigger = "test", .sleeper = host->sleeper };
	struct report *report = NULL;
	struct error error = { 0 };

	if (coordinator_suspend(&host->coordinator, &params, &report, &error) < 0)
		fail_msg("%s", error_text(&error));
	return report;
}

static const struct report_guest *guest_of(const struct report *report, const char *name)
{
	const struct report_guest *guest = report_find_guest(report, name);

	if (!guest)
		fail_msg("no guest %s in the report", name);
	return guest;
}

static void a_guest_is_found_suspended_before_its_timeout(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "[Guest \"web\"]\nSuspendTime=1s\n");
	host.config.guest_timeout_us = 5000000;
	ops.next_event = lose_event;
	report = run_cycle(&host);
	assert_int_equal(report->result, RESULT_OK);
	assert_int_equal(guest_of(report, "web")->outcome, OUTCOME_SUSPENDED);
	/* The second look, before the timeout. */
	assert_int_equal(guest_of(report, "web")->down_us, 1500000);
	assert_string_equal(guest_of(report, "web")->detail, "");
	report_free(report);
	assert_int_equal(state_of(&host, "web"), GUEST_RUNNING);
	host_done(&host);
}

static void guests_are_found_suspended_at_the_deadline(void **state)
{
	static const enum config_on_failure policies[] = { ON_FAILURE_PAUSE, ON_FAILURE_ABORT };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(policies); i++) {
		struct report *report;
		struct host host;

		host_init(&host, "[Guest \"web\"]\nSuspendTime=3600ms\n"
				 "[Guest \"mail\"]\nSuspendTime=4s\n");
		host.config.guest_timeout_us = 10000000;
		host.config.deadline_us = 5000000;
		host.config.on_deadline = policies[i];
		ops.next_event = lose_event;
		report = run_cycle(&host);
		assert_int_equal(report->result, RESULT_OK);
		assert_int_equal(guest_of(report, "web")->outcome, OUTCOME_SUSPENDED);
		assert_int_equal(guest_of(report, "mail")->outcome, OUTCOME_SUSPENDED);
		assert_int_equal(guest_of(report, "mail")->down_us, 5000000);
		assert_true(report->slept_us != MOMENT_NEVER);
		report_free(report);
		host_done(&host);
	}
}

/* One is suspended at the deadline, its dependent is too late. */
static void only_the_guest_that_is_late_at_the_deadline_is_named(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "[Guest \"web\"]\nSuspendTime=1s\n"
			 "[Guest \"mail\"]\nBehaviour=hangs-after-ack\n");
	host.config.deadline_us = 5000000;
	host.config.on_deadline = ON_FAILURE_ABORT;
	ops.next_event = lose_event;
	report = run_cycle(&host);
	assert_int_equal(report->result, RESULT_FAILED);
	assert_string_equal(report->detail, "mail did not suspend by the deadline of 5 s");
	assert_int_equal(state_of(&host, "web"), GUEST_RUNNING);
	report_free(report);
	host_done(&host);
}

/* ---- requests that cannot be retracted ----------------------------------- */

static int retract_in_vain(struct hypervisor *hypervisor, const struct domain_id *id,
			   enum mechanism mechanism, uint64_t cycle)
{
	(void)hypervisor;
	(void)id;
	(void)mechanism;
	(void)cycle;
	return -EIO;
}

static void says_that_a_request_could_not_be_retracted_only_if_that_failed(void **state)
{
	static const struct {
		const char *behaviour;
		bool fails;
	} cases[] = {
		{ "Behaviour=ignores-requests\n", false },
		/* Too late: the guest has acknowledged the request. */
		{ "Behaviour=hangs-after-ack\n", false },
		{ "Behaviour=ignores-requests\n", true },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char scenario[128];
		struct report *report;
		const char *detail;
		struct host host;

		snprintf(scenario, sizeof(scenario), "[Guest \"mail\"]\n%s", cases[i].behaviour);
		host_init(&host, scenario);
		if (cases[i].fails)
			ops.retract = retract_in_vain;
		report = run_cycle(&host);
		detail = guest_of(report, "mail")->detail;
		assert_int_equal(strstr(detail, "the request could not be retracted") != NULL,
				 cases[i].fails);
		assert_non_null(strstr(detail, "did not suspend within 10 s"));
		report_free(report);
		host_done(&host);
	}
}

/* ---- many cycles --------------------------------------------------------- */

static size_t count_descriptors(void)
{
	DIR *descriptors = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(descriptors);
	while (readdir(descriptors))
		n++;
	closedir(descriptors);
	return n;
}

static void no_descriptor_stays_open_after_a_cycle(void **state)
{
	struct host host;
	size_t before = 0;

	(void)state;
	host_init(&host, "[Guest \"netvm\"]\nAgent=yes\n[Guest \"web\"]\nNeeds=netvm\n");
	for (int cycle = 0; cycle < 10; cycle++) {
		struct report *report = run_cycle(&host);

		assert_int_equal(report->result, RESULT_OK);
		report_free(report);
		if (cycle == 0)
			before = count_descriptors();
	}
	assert_int_equal(count_descriptors(), before);
	host_done(&host);
}

/* The files of these tests are in memory, so nothing is written to a disk. */
static void reports_how_much_was_written_to_disks(void **state)
{
	FILE *io = fopen("/proc/self/io", "r");
	struct report *report;
	struct host host;

	(void)state;
	assert_non_null(io);
	fclose(io);
	host_init(&host, "[Guest \"web\"]\n");
	report = run_cycle(&host);
	assert_true(report->written_bytes != MOMENT_NEVER);
	assert_true(report->written_bytes >= 0);
	if (strncmp(host.directory, "/dev/shm/", 9) == 0)
		assert_int_equal(report->written_bytes, 0);
	report_free(report);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_is_found_suspended_before_its_timeout),
		cmocka_unit_test(guests_are_found_suspended_at_the_deadline),
		cmocka_unit_test(only_the_guest_that_is_late_at_the_deadline_is_named),
		cmocka_unit_test(says_that_a_request_could_not_be_retracted_only_if_that_failed),
		cmocka_unit_test(no_descriptor_stays_open_after_a_cycle),
		cmocka_unit_test(reports_how_much_was_written_to_disks),
	};

	return cmocka_run_group_tests_name("lost events", tests, NULL, NULL);
}
