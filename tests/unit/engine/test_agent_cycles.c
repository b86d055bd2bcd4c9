/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Agents in cycles that follow each other: what is written for them, and when they are notified. */

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

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "record/report.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

/* The domids of the laptop's guests, which are those of their order in the scenario. */
enum { NETVM = 1, FW, WEB, MAIL, VAULT, N_DOMIDS };

/* A request that was written ahead for an agent. */
struct arming {
	uint32_t domid;
	uint64_t cycle;
};

/* Calls of the verbs that a test watches. Only calls that succeed are counted. */
static struct {
	const struct hypervisor_ops *below;
	struct hypervisor_ops ops;
	struct arming armings[16];
	size_t n_armings;
	unsigned int n_woken[N_DOMIDS];
	unsigned int n_prepared[N_DOMIDS];
} calls;

static int count_arm(struct hypervisor *hypervisor, const struct domain_id *id, uint64_t cycle,
		     const struct agent_terms *terms)
{
	int r = calls.below->arm(hypervisor, id, cycle, terms);

	assert_true(calls.n_armings < ELEMENTSOF(calls.armings));
	if (r == 0)
		calls.armings[calls.n_armings++] = (struct arming){ id->domid, cycle };
	return r;
}

static int count_wake(struct hypervisor *hypervisor, const struct domain_id *id)
{
	int r = calls.below->wake_agent(hypervisor, id);

	assert_true(id->domid < N_DOMIDS);
	calls.n_woken[id->domid] += r == 0;
	return r;
}

static int count_prepare_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	int r = calls.below->prepare_resume(hypervisor, id);

	assert_true(id->domid < N_DOMIDS);
	calls.n_prepared[id->domid] += r == 0;
	return r;
}

static void host_init(struct host *host, const char *mail)
{
	host_init_laptop(host, mail);
	memset(&calls, 0, sizeof(calls));
	calls.below = host->hypervisor->ops;
	calls.ops = *calls.below;
	calls.ops.arm = count_arm;
	calls.ops.wake_agent = count_wake;
	calls.ops.prepare_resume = count_prepare_resume;
	host->hypervisor->ops = &calls.ops;
}

static void forget_calls(void)
{
	calls.n_armings = 0;
	memset(calls.n_woken, 0, sizeof(calls.n_woken));
	memset(calls.n_prepared, 0, sizeof(calls.n_prepared));
}

static void assert_armed(const struct arming *expected, size_t n)
{
	assert_int_equal(calls.n_armings, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(calls.armings[i].domid, expected[i].domid);
		assert_int_equal(calls.armings[i].cycle, expected[i].cycle);
	}
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

static void expect_result(struct host *host, enum cycle_result result)
{
	struct report *report = run_cycle(host);

	assert_int_equal(report->result, result);
	report_free(report);
}

/* ---- requests written ahead --------------------------------------------- */

static void an_agent_is_armed_once_for_each_cycle(void **state)
{
	static const struct arming first[] = { { NETVM, 1 }, { NETVM, 2 } };
	static const struct arming second[] = { { NETVM, 3 } };
	struct host host;

	(void)state;
	host_init(&host, "");
	expect_result(&host, RESULT_OK);
	assert_armed(first, ELEMENTSOF(first));
	let_time_pass(&host);
	forget_calls();
	expect_result(&host, RESULT_OK);
	assert_armed(second, ELEMENTSOF(second));
	assert_all_running(&host);
	host_done(&host);
}

static void an_agent_with_other_terms_is_armed_again(void **state)
{
	static const struct arming expected[] = { { NETVM, 2 }, { NETVM, 3 } };
	struct host host;

	(void)state;
	host_init(&host, "");
	expect_result(&host, RESULT_OK);
	let_time_pass(&host);
	forget_calls();
	host.config.guest_timeout_us = 7000000;
	expect_result(&host, RESULT_OK);
	assert_armed(expected, ELEMENTSOF(expected));
	host_done(&host);
}

static void an_agent_that_did_not_answer_is_not_armed_ahead(void **state)
{
	static const struct arming first[] = { { NETVM, 1 }, { MAIL, 1 }, { NETVM, 2 } };
	static const struct arming second[] = { { MAIL, 2 }, { NETVM, 3 } };
	struct host host;

	(void)state;
	host_init(&host, "Agent=yes\nBehaviour=never-ready\n");
	expect_result(&host, RESULT_DEGRADED);
	assert_int_equal(calls.n_armings, ELEMENTSOF(first));
	for (size_t i = 0; i < ELEMENTSOF(first); i++) {
		size_t n = 0;

		for (size_t j = 0; j < calls.n_armings; j++)
			n += calls.armings[j].domid == first[i].domid &&
			     calls.armings[j].cycle == first[i].cycle;
		assert_int_equal(n, 1);
	}
	let_time_pass(&host);
	forget_calls();
	expect_result(&host, RESULT_DEGRADED);
	assert_armed(second, ELEMENTSOF(second));
	host_done(&host);
}

static void an_agent_of_a_guest_that_is_gone_is_not_armed_ahead(void **state)
{
	static const struct arming expected[] = { { NETVM, 2 } };
	struct host host;

	(void)state;
	host_init(&host, "Agent=yes\nBehaviour=dies\n");
	expect_result(&host, RESULT_DEGRADED);
	assert_true(calls.n_armings > 0);
	assert_int_equal(calls.armings[calls.n_armings - 1].domid, expected[0].domid);
	assert_int_equal(calls.armings[calls.n_armings - 1].cycle, expected[0].cycle);
	for (size_t i = 0; i < calls.n_armings; i++)
		assert_false(calls.armings[i].domid == MAIL && calls.armings[i].cycle == 2);
	host_done(&host);
}

/* ---- notifications after the wake --------------------------------------- */

static void each_agent_that_quiesced_is_notified_once_of_each_wake(void **state)
{
	struct host host;

	(void)state;
	host_init(&host, "");
	for (int cycle = 0; cycle < 2; cycle++) {
		forget_calls();
		expect_result(&host, RESULT_OK);
		assert_int_equal(calls.n_woken[NETVM], 1);
		for (uint32_t domid = FW; domid < N_DOMIDS; domid++)
			assert_int_equal(calls.n_woken[domid], 0);
		let_time_pass(&host);
	}
	host_done(&host);
}

static void let_agents_restore(void *data, const struct cycle *cycle, const struct record *record)
{
	struct host *host = data;

	if (record->type == RECORD_RUNNING && cycle->guests[record->guest].domid == NETVM)
		assert_int_equal(host->loop->ops->wait(host->loop, loop_now(host->loop) + 5000000),
				 0);
}

/* It would take the event as the request of the next cycle. */
static void an_agent_that_restored_by_itself_is_not_notified(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "");
	host.coordinator.observer = let_agents_restore;
	host.coordinator.observer_data = &host;
	report = run_cycle(&host);
	assert_int_equal(calls.n_woken[NETVM], 0);
	assert_int_equal(report->result, RESULT_OK);
	assert_true(report_find_guest(report, "netvm")->ready_us != MOMENT_NEVER);
	report_free(report);
	host_done(&host);
}

static const struct loop_ops *loop_below;

/* As the real loop, which also returns for events of other guests. */
static int wait_at_most_10_ms(struct loop *loop, uint64_t deadline_us)
{
	uint64_t soon_us = loop_now(loop) + 10000;

	return loop_below->wait(loop, soon_us < deadline_us ? soon_us : deadline_us);
}

static void resume_after_ready_waits_for_the_devices_through_other_events(void **state)
{
	struct loop_ops ops;
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "");
	loop_below = host.loop->ops;
	ops = *loop_below;
	ops.wait = wait_at_most_10_ms;
	host.loop->ops = &ops;
	host.config.resume_after = RESUME_AFTER_READY;
	report = run_cycle(&host);
	assert_int_equal(report->result, RESULT_OK);
	assert_true(report_find_guest(report, "netvm")->ready_us -
			    report_find_guest(report, "netvm")->running_us >
		    20000);
	assert_true(report_find_guest(report, "netvm")->ready_us <=
		    report_find_guest(report, "fw")->running_us);
	report_free(report);
	host.loop->ops = loop_below;
	host_done(&host);
}

static void resume_after_ready_does_not_wait_longer_than_the_ready_timeout(void **state)
{
	struct report *report;
	int64_t waited_us;
	struct host host;

	(void)state;
	host_prepare(&host);
	host_write(&host, "[Guest \"netvm\"]\nAgent=yes\nBehaviour=never-ready\n"
			  "[Guest \"web\"]\nNeeds=netvm\n");
	host_open(&host);
	host.config.resume_after = RESUME_AFTER_READY;
	host.config.ready_timeout_us = 4000000;
	report = run_cycle(&host);
	waited_us = report_find_guest(report, "web")->running_us -
		    report_find_guest(report, "netvm")->running_us;
	assert_true(waited_us >= 4000000 && waited_us < 4100000);
	assert_int_equal(report->result, RESULT_DEGRADED);
	report_free(report);
	host_done(&host);
}

/* ---- agents that refuse ------------------------------------------------- */

#define AGENT_REFUSED "agent: refused, as set in the scenario"

static int64_t phase_us(const struct report *report, const char *name)
{
	for (size_t i = 0; i < report->n_phases; i++)
		if (strcmp(report->phases[i].name, name) == 0)
			return report->phases[i].duration_us;
	fail_msg("no phase %s in the report", name);
	return -1;
}

static void a_guest_whose_agent_fails_is_given_up_at_once_with_the_agents_words(void **state)
{
	const struct report_guest *mail;
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "Agent=yes\nBehaviour=refuses\n");
	report = run_cycle(&host);
	mail = report_find_guest(report, "mail");
	assert_int_equal(strncmp(mail->detail, AGENT_REFUSED, strlen(AGENT_REFUSED)), 0);
	assert_int_equal(mail->outcome, OUTCOME_PAUSED);
	assert_true(mail->down_us - mail->requested_us < 1000000);
	assert_true(phase_us(report, "suspend") < 3000000);
	assert_all_running(&host);
	report_free(report);
	host_done(&host);
}

/* ---- preparation of the resume ------------------------------------------ */

static void an_undone_cycle_prepares_each_resume_once(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "Behaviour=ignores-requests\n");
	host.config.on_failure = ON_FAILURE_ABORT;
	report = run_cycle(&host);
	assert_int_equal(report->result, RESULT_FAILED);
	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];

		assert_int_equal(calls.n_prepared[guest->domid],
				 guest->outcome == OUTCOME_SUSPENDED);
	}
	assert_int_equal(calls.n_prepared[WEB], 1);
	report_free(report);
	host_done(&host);
}

static void guests_that_are_kept_suspended_are_prepared_when_they_are_resumed(void **state)
{
	struct cycle_params params = { .trigger = "test" };
	struct resume_result result = { 0 };
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init(&host, "");
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	report_free(report);
	for (uint32_t domid = NETVM; domid < N_DOMIDS; domid++)
		assert_int_equal(calls.n_prepared[domid], 0);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	report_free(result.report);
	for (uint32_t domid = NETVM; domid < N_DOMIDS; domid++)
		assert_int_equal(calls.n_prepared[domid], 1);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_is_armed_once_for_each_cycle),
		cmocka_unit_test(an_agent_with_other_terms_is_armed_again),
		cmocka_unit_test(an_agent_that_did_not_answer_is_not_armed_ahead),
		cmocka_unit_test(an_agent_of_a_guest_that_is_gone_is_not_armed_ahead),
		cmocka_unit_test(each_agent_that_quiesced_is_notified_once_of_each_wake),
		cmocka_unit_test(an_agent_that_restored_by_itself_is_not_notified),
		cmocka_unit_test(resume_after_ready_waits_for_the_devices_through_other_events),
		cmocka_unit_test(resume_after_ready_does_not_wait_longer_than_the_ready_timeout),
		cmocka_unit_test(
			a_guest_whose_agent_fails_is_given_up_at_once_with_the_agents_words),
		cmocka_unit_test(an_undone_cycle_prepares_each_resume_once),
		cmocka_unit_test(guests_that_are_kept_suspended_are_prepared_when_they_are_resumed),
	};

	return cmocka_run_group_tests_name("agent cycles", tests, NULL, NULL);
}
