/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whole cycles of the engine, on the simulator. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "base/directory.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/plan.h"
#include "model/sleep-manager.h"
#include "model/sleeper.h"
#include "record/journal.h"
#include "record/report-file.h"
#include "record/report.h"
#include "engine/prearm.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "view/report-text.h"
#include "tests/unit/simulated_host.h"

static void host_init(struct host *host, const char *scenario)
{
	host_prepare(host);
	host_write(host, scenario);
	host_open(host);
}

static struct report *run_cycle(struct host *host, bool sleeps)
{
	struct cycle_params params = {
		.trigger = "test",
		.sleeper = sleeps ? host->sleeper : NULL,
	};
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

static void suspends_dependents_first_and_resumes_in_reverse(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "ok");
	assert_true(guest_of(report, "web")->down_us <= guest_of(report, "fw")->requested_us);
	assert_true(guest_of(report, "mail")->down_us <= guest_of(report, "fw")->requested_us);
	assert_true(guest_of(report, "fw")->down_us <= guest_of(report, "netvm")->requested_us);
	assert_true(guest_of(report, "netvm")->running_us <= guest_of(report, "fw")->running_us);
	assert_true(guest_of(report, "fw")->running_us <= guest_of(report, "web")->running_us);
	/* No guest waits for a guest that does not need it. */
	assert_int_equal(guest_of(report, "vault")->requested_us,
			 guest_of(report, "web")->requested_us);
	assert_all_running(&host);
	assert_no_journal(&host);
	report_free(report);
	host_done(&host);
}

static void pauses_and_names_a_guest_that_does_not_suspend(void **state)
{
	static const char *const misbehaviours[] = {
		"Behaviour=ignores-requests\n",
		"Behaviour=hangs-after-ack\n",
		"Behaviour=goes-down-late\nLateTime=12s\n",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(misbehaviours); i++) {
		struct report *report;
		struct host host;

		host_init_laptop(&host, misbehaviours[i]);
		report = run_cycle(&host, true);
		assert_string_equal(cycle_result_name(report->result), "degraded");
		assert_string_equal(cycle_outcome_name(guest_of(report, "mail")->outcome),
				    "paused");
		assert_non_null(
			strstr(guest_of(report, "mail")->detail, "did not suspend within 10 s"));
		assert_string_equal(cycle_outcome_name(guest_of(report, "netvm")->outcome),
				    "suspended");
		assert_all_running(&host);
		report_free(report);
		host_done(&host);
	}
}

static void undoes_the_cycle_when_a_guest_fails_with_on_failure_abort(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "Behaviour=ignores-requests\n");
	host.config.on_failure = ON_FAILURE_ABORT;
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "failed");
	assert_non_null(strstr(report->detail, "mail"));
	assert_all_running(&host);
	assert_no_journal(&host);
	report_free(report);
	host_done(&host);
}

static void sleeps_at_the_deadline_and_names_the_cause(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "Behaviour=hangs-after-ack\n");
	host.config.deadline_us = 3000000;
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "degraded");
	assert_string_equal(cycle_outcome_name(guest_of(report, "mail")->outcome), "paused");
	assert_non_null(strstr(guest_of(report, "mail")->detail, "deadline of 3 s"));
	/* fw and netvm waited for it until the deadline. */
	assert_string_equal(cycle_outcome_name(guest_of(report, "netvm")->outcome), "paused");
	assert_all_running(&host);
	report_free(report);
	host_done(&host);
}

static void resumes_all_guests_when_the_host_does_not_sleep(void **state)
{
	struct report *report;
	char scenario[1024] = "[Host]\nS3=refuse\n";
	struct host host;

	(void)state;
	snprintf(scenario + strlen(scenario), sizeof(scenario) - strlen(scenario), "%s",
		 "[Guest \"netvm\"]\nAgent=yes\n[Guest \"fw\"]\nNeeds=netvm\n"
		 "[Guest \"web\"]\nNeeds=fw\n[Guest \"mail\"]\n"
		 "[Guest \"vault\"]\n");
	host_init(&host, scenario);
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "failed");
	assert_all_running(&host);
	assert_no_journal(&host);
	report_free(report);
	host_done(&host);
}

static void reads_the_agents_last_state_before_the_suspend(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "[Guest \"netvm\"]\nAgent=yes\nSuspendTime=0\n"
			 "ReadyTime=0\n[Guest \"web\"]\nNeeds=netvm\n");
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "ok");
	assert_true(guest_of(report, "netvm")->quiesced_us <= guest_of(report, "netvm")->down_us);
	assert_true(guest_of(report, "netvm")->running_us <= guest_of(report, "netvm")->ready_us);
	report_free(report);
	host_done(&host);
}

static void does_not_resume_guests_that_it_did_not_suspend(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "State=paused\n");
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "ok");
	assert_string_equal(cycle_outcome_name(guest_of(report, "mail")->outcome), "skipped");
	assert_int_equal(state_of(&host, "mail"), GUEST_PAUSED);
	report_free(report);
	host_done(&host);
}

static void falls_back_to_the_kernel_when_the_agent_is_dead(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "[Guest \"netvm\"]\nAgent=yes\n"
			 "Behaviour=agent-is-dead\n");
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "degraded");
	assert_string_equal(mechanism_name(guest_of(report, "netvm")->mechanism), "xenstore");
	assert_string_equal(cycle_outcome_name(guest_of(report, "netvm")->outcome), "suspended");
	assert_int_equal(state_of(&host, "netvm"), GUEST_RUNNING);
	report_free(report);
	host_done(&host);
}

static void a_crashed_guest_does_not_fail_the_others(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "Behaviour=dies\n");
	report = run_cycle(&host, true);
	assert_string_equal(cycle_outcome_name(guest_of(report, "mail")->outcome), "failed");
	assert_string_equal(cycle_outcome_name(guest_of(report, "netvm")->outcome), "suspended");
	assert_int_equal(state_of(&host, "netvm"), GUEST_RUNNING);
	assert_int_equal(state_of(&host, "web"), GUEST_RUNNING);
	report_free(report);
	host_done(&host);
}

static void resumes_the_others_when_one_cannot_be_resumed(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "Behaviour=fails-to-resume\n");
	report = run_cycle(&host, true);
	assert_string_equal(report_stranded(report)->name, "mail");
	assert_int_equal(state_of(&host, "web"), GUEST_RUNNING);
	assert_int_equal(state_of(&host, "vault"), GUEST_RUNNING);
	report_free(report);
	host_done(&host);
}

static void a_stranded_guest_is_resumed_by_the_next_command(void **state)
{
	struct resume_result result;
	struct error error = { 0 };
	uint64_t *numbers = NULL;
	struct host host;

	(void)state;
	host_init_laptop(&host, "Behaviour=fails-to-resume\n");
	report_free(run_cycle(&host, true));
	assert_int_equal(journal_list(host.roots.journals, &numbers), 1);
	free(numbers);
	hypervisor_close(host.hypervisor);
	host_write_laptop(&host, "");
	host_open(&host);
	assert_int_equal(coordinator_recover(&host.coordinator, &result, &error), 0);
	report_free(result.report);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
}

static void reports_lost_devices(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "[Guest \"netvm\"]\nAgent=yes\n"
			 "Behaviour=comes-back-degraded\n");
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "degraded");
	assert_non_null(strstr(guest_of(report, "netvm")->detail, "0000:00:00.0 lost"));
	report_free(report);
	host_done(&host);
}

static void keeps_guests_suspended_until_resume_all_which_is_idempotent(void **state)
{
	struct resume_result result;
	struct report *report;
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	report = run_cycle(&host, false);
	assert_non_null(report);
	report_free(report);
	assert_int_equal(state_of(&host, "netvm"), GUEST_SUSPENDED);
	assert_null(run_cycle(&host, false));
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(result.n_resumed, 5);
	assert_non_null(result.report);
	report_free(result.report);
	assert_all_running(&host);
	assert_no_journal(&host);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(result.n_resumed, 0);
	host_done(&host);
}

static void a_guest_destroyed_while_kept_suspended_is_not_resumed(void **state)
{
	static const char scenario[] = "[Guest \"web\"]\nDestroyedAfter=10s\n"
				       "[Guest \"mail\"]\n";
	struct resume_result result;
	struct error error = { 0 };
	char shown[2048] = "";
	struct host host;
	FILE *out;

	(void)state;
	host_init(&host, scenario);
	report_free(run_cycle(&host, false));
	assert_int_equal(host.loop->ops->wait(host.loop, loop_now(host.loop) + 20000000), 0);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(result.n_resumed, 1);
	assert_string_equal(cycle_result_name(result.report->result), "degraded");
	out = fmemopen(shown, sizeof(shown), "w");
	assert_int_equal(report_print(result.report, NULL, out), 0);
	fclose(out);
	assert_non_null(strstr(strstr(shown, "\nweb"), "destroyed\n"));
	report_free(result.report);
	host_done(&host);
}

static const struct hypervisor_ops *ops_below;
static struct host *host_below;

/* Replaces the simulator's verbs by a copy in `ops`, which the test then changes. */
static void put_between(struct host *host, struct hypervisor_ops *ops)
{
	ops_below = host->hypervisor->ops;
	*ops = *ops_below;
	host->hypervisor->ops = ops;
	host_below = host;
}

static size_t n_woken;

static int count_woken(struct hypervisor *hypervisor, const struct domain_id *id)
{
	n_woken++;
	return ops_below->wake_agent(hypervisor, id);
}

/* An agent that is armed for the next cycle takes an event as that cycle's request. */
static void an_agent_that_is_ready_is_not_notified_again(void **state)
{
	struct hypervisor_ops ops;
	struct resume_result result;
	struct error error = { 0 };
	char name[] = "web", *names[] = { name };
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	put_between(&host, &ops);
	ops.wake_agent = count_woken;
	n_woken = 0;
	report_free(run_cycle(&host, false));
	assert_int_equal(coordinator_resume(&host.coordinator, names, 1, false, &result, &error),
			 0);
	assert_int_equal(n_woken, 1);
	assert_int_equal(prearm_refresh(&host.coordinator, NULL, NULL, &error), 0);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(n_woken, 1);
	report_free(result.report);
	host.hypervisor->ops = ops_below;
	assert_all_running(&host);
	host_done(&host);
}

static int inventory_after_goodbye(struct hypervisor *hypervisor, struct inventory *ret_inventory,
				   struct error *error)
{
	int r = ops_below->inventory(hypervisor, ret_inventory, error);

	for (size_t i = 0; r == 0 && i < ret_inventory->n_guests; i++)
		ret_inventory->guests[i].agent.state = (struct protocol_state){ 0 };
	return r;
}

/* A stale port degrades the cycle, but not one of an agent that was stopped. */
static void an_agent_that_was_stopped_does_not_degrade_the_cycle(void **state)
{
	static const char scenario[] = "[Guest \"desk\"]\nAgent=yes\n"
				       "Behaviour=agent-port-is-stale\n";
	struct hypervisor_ops ops;
	struct report *report;
	struct host host;

	(void)state;
	for (int is_gone = 0; is_gone < 2; is_gone++) {
		host_init(&host, scenario);
		put_between(&host, &ops);
		if (is_gone)
			ops.inventory = inventory_after_goodbye;
		report = run_cycle(&host, true);
		assert_string_equal(cycle_result_name(report->result), is_gone ? "ok" : "degraded");
		assert_string_equal(mechanism_name(guest_of(report, "desk")->mechanism),
				    "xenstore");
		report_free(report);
		host.hypervisor->ops = ops_below;
		host_done(&host);
	}
}

static int find_nobody(struct hypervisor *hypervisor, const struct domain_id *id)
{
	(void)hypervisor;
	(void)id;
	return -ESRCH;
}

/* Its owner destroys it after the resume hypercall, before xenstored is notified. */
static void a_guest_destroyed_right_after_its_resume_is_named(void **state)
{
	struct hypervisor_ops ops;
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	put_between(&host, &ops);
	ops.resume_in_xenstore = find_nobody;
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "degraded");
	assert_string_equal(guest_of(report, "web")->detail, "destroyed");
	assert_int_equal(guest_of(report, "web")->gone, GUEST_DESTROYED);
	report_free(report);
	host.hypervisor->ops = ops_below;
	assert_no_journal(&host);
	host_done(&host);
}

/* ---- second tries and late suspenders ----------------------------------- */

#define LATE "Behaviour=goes-down-late\nLateTime=12s\n"

static void resume_all(struct host *host)
{
	struct resume_result result;
	struct error error = { 0 };

	if (coordinator_resume(&host->coordinator, NULL, 0, false, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	assert_string_equal(result.stranded, "");
	report_free(result.report);
}

static void a_resume_that_fails_is_tried_again_once(void **state)
{
	static const struct {
		const char *mail;
		const char *detail; /* part of it; NULL: it does not name xenstored */
	} cases[] = {
		{ "Fail=resume:1\n", "resumed: " },   { LATE "Fail=resume:1\n", "resumed: " },
		{ "Fail=keep-books:1\n", NULL },      { LATE "Fail=keep-books:1\n", NULL },
		{ "Fail=keep-books\n", "xenstored" }, { LATE "Fail=keep-books\n", "xenstored" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report;
		const char *detail;
		struct host host;

		host_init_laptop(&host, cases[i].mail);
		report = run_cycle(&host, true);
		assert_null(report_stranded(report));
		detail = guest_of(report, "mail")->detail;
		if (cases[i].detail)
			assert_non_null(strstr(detail, cases[i].detail));
		else
			assert_null(strstr(detail, "xenstored"));
		assert_all_running(&host);
		assert_no_journal(&host);
		report_free(report);
		host_done(&host);
	}
}

static bool is_unreadable;

static int get_state_in_vain(struct hypervisor *hypervisor, const struct domain_id *id,
			     struct domain_state *ret_state)
{
	return is_unreadable ? -EIO : ops_below->get_state(hypervisor, id, ret_state);
}

static void is_unreadable_when_all_are_back(void *data, const struct cycle *cycle,
					    const struct record *record)
{
	(void)data;
	(void)cycle;
	is_unreadable |= record->type == RECORD_PHASE && strcmp(record->text, "ready") == 0;
}

/* Its state cannot be read; it is suspended. */
static void a_late_guest_whose_state_cannot_be_read_stays_recorded(void **state)
{
	struct hypervisor_ops ops;
	struct report *report;
	uint64_t *numbers = NULL;
	struct host host;

	(void)state;
	host_init_laptop(&host, LATE);
	put_between(&host, &ops);
	ops.get_state = get_state_in_vain;
	is_unreadable = false;
	host.coordinator.observer = is_unreadable_when_all_are_back;
	report = run_cycle(&host, true);
	assert_non_null(report_stranded(report));
	assert_string_equal(report_stranded(report)->name, "mail");
	assert_non_null(strstr(guest_of(report, "mail")->detail, "its state could not be read"));
	report_free(report);
	host.coordinator.observer = NULL;
	host.hypervisor->ops = ops_below;
	assert_int_equal(state_of(&host, "mail"), GUEST_SUSPENDED);
	assert_int_equal(journal_list(host.roots.journals, &numbers), 1);
	free(numbers);
	resume_all(&host);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
}

/* A paused guest cannot suspend before it is unpaused. */
static void a_paused_guest_may_still_be_late_when_others_are_resumed(void **state)
{
	struct resume_result result;
	struct error error = { 0 };
	char name[] = "web", *names[] = { name };
	struct host host;

	(void)state;
	host_init_laptop(&host, LATE);
	report_free(run_cycle(&host, false));
	assert_int_equal(coordinator_resume(&host.coordinator, names, 1, false, &result, &error),
			 0);
	assert_int_equal(state_of(&host, "mail"), GUEST_PAUSED);
	resume_all(&host);
	let_time_pass(&host);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
}

/* The wait fails while web suspends, and again during the resume. */
static void a_guest_stays_late_when_the_wait_for_it_fails(void **state)
{
	struct cycle_params params = { .trigger = "test" };
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init(&host, "[Host]\nFail=next-event:1 next-event:2\n"
			 "[Guest \"netvm\"]\nAgent=yes\n"
			 "[Guest \"web\"]\nNeeds=netvm\n");
	params.sleeper = host.sleeper;
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	assert_int_equal(report->result, RESULT_FAILED);
	assert_non_null(strstr(report->detail, "cannot suspend the guests: "));
	report_free(report);
	assert_int_equal(state_of(&host, "web"), GUEST_RUNNING);
	let_time_pass(&host);
	assert_int_equal(state_of(&host, "web"), GUEST_SUSPENDED);
	resume_all(&host);
	assert_int_equal(state_of(&host, "web"), GUEST_RUNNING);
	assert_no_journal(&host);
	host_done(&host);
}

static int pause_as_it_suspends(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct loop *loop = host_below->loop;

	assert_int_equal(loop->ops->wait(loop, loop_now(loop) + 5000000), 0);
	return ops_below->pause(hypervisor, id);
}

static size_t n_resumed_in_xenstore;

static int count_resumed_in_xenstore(struct hypervisor *hypervisor, const struct domain_id *id)
{
	n_resumed_in_xenstore++;
	return ops_below->resume_in_xenstore(hypervisor, id);
}

static void runs_where_that_is_recorded(void *data, const struct cycle *cycle,
					const struct record *record)
{
	if (record->type == RECORD_RUNNING)
		assert_int_equal(state_of(data, cycle->guests[record->guest].name), GUEST_RUNNING);
}

/* It is paused and suspended: it runs after an unpause and a resume. */
static void a_guest_that_suspends_as_it_is_paused_is_resumed_too(void **state)
{
	static const char *const failures[] = { "", "Fail=unpause:1\n", "Fail=resume:1\n" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
		struct hypervisor_ops ops;
		struct report *report;
		char scenario[160];
		struct host host;

		snprintf(scenario, sizeof(scenario), "[Guest \"mail\"]\n%s" LATE, failures[i]);
		host_init(&host, scenario);
		put_between(&host, &ops);
		ops.pause = pause_as_it_suspends;
		ops.resume_in_xenstore = count_resumed_in_xenstore;
		n_resumed_in_xenstore = 0;
		host.coordinator.observer = runs_where_that_is_recorded;
		host.coordinator.observer_data = &host;
		report = run_cycle(&host, true);
		assert_null(report_stranded(report));
		assert_string_equal(cycle_outcome_name(guest_of(report, "mail")->outcome),
				    "paused");
		assert_int_equal(guest_of(report, "mail")->down_us, 12000000);
		assert_int_equal(n_resumed_in_xenstore, 1);
		report_free(report);
		host.hypervisor->ops = ops_below;
		assert_int_equal(state_of(&host, "mail"), GUEST_RUNNING);
		assert_no_journal(&host);
		host_done(&host);
	}
}

/* It was not suspended during S3, in which its clock stops, too. */
static void a_guest_that_could_not_be_paused_may_be_late_after_the_sleep(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "[Guest \"mail\"]\nFail=pause\n" LATE);
	report = run_cycle(&host, true);
	assert_string_equal(cycle_outcome_name(guest_of(report, "mail")->outcome), "failed");
	assert_null(report_stranded(report));
	let_time_pass(&host);
	assert_int_equal(state_of(&host, "mail"), GUEST_RUNNING);
	assert_no_journal(&host);
	report_free(report);
	host_done(&host);
}

/* Removes the RETRACTED records, which an older pmcoord did not write. */
static void keep_old_journal(void *data, const struct cycle *cycle, const struct record *record)
{
	const struct host *host = data;
	char path[128], line[512];
	FILE *in, *out;

	if (record->type != RECORD_END)
		return;
	snprintf(path, sizeof(path), "%s/%" PRIu64, host->roots.journals, cycle->head.number);
	in = fopen(path, "r");
	snprintf(path, sizeof(path), "%s/journal", host->directory);
	out = fopen(path, "w");
	assert_true(in && out);
	while (fgets(line, sizeof(line), in))
		if (!strstr(line, " retracted "))
			fputs(line, out);
	fclose(in);
	fclose(out);
}

/* In such a journal SETTLED ends the record of a guest that was never suspended. */
static void finishes_a_journal_of_an_older_pmcoord(void **state)
{
	char from[128], to[128];
	struct cycle cycle;
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init_laptop(&host, "Behaviour=hangs-after-ack\n");
	host.config.on_failure = ON_FAILURE_ABORT;
	host.coordinator.observer = keep_old_journal;
	host.coordinator.observer_data = &host;
	report_free(run_cycle(&host, true));
	host.coordinator.observer = NULL;
	assert_no_journal(&host);
	snprintf(from, sizeof(from), "%s/journal", host.directory);
	snprintf(to, sizeof(to), "%s/1", host.roots.journals);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(journal_read(host.roots.journals, 1, &cycle, &error), 0);
	assert_int_equal(cycle_count_holds(&cycle), 1);
	cycle_done(&cycle);
	resume_all(&host);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
}

static void resumes_the_named_guests_and_those_they_need(void **state)
{
	struct resume_result result;
	struct error error = { 0 };
	char name[] = "web", *names[] = { name };
	char nobody[] = "nobody", *unknown[] = { nobody };
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	report_free(run_cycle(&host, false));
	assert_int_equal(coordinator_resume(&host.coordinator, unknown, 1, false, &result, &error),
			 -ENOENT);
	assert_int_equal(error.outcome, OUTCOME_NOT_FOUND);
	assert_non_null(strstr(error_text(&error), "nobody"));
	assert_int_equal(state_of(&host, "netvm"), GUEST_SUSPENDED);
	error = (struct error){ 0 };
	assert_int_equal(coordinator_resume(&host.coordinator, names, 1, false, &result, &error),
			 0);
	assert_int_equal(result.n_resumed, 3);
	assert_int_equal(state_of(&host, "web"), GUEST_RUNNING);
	assert_int_equal(state_of(&host, "netvm"), GUEST_RUNNING);
	assert_int_equal(state_of(&host, "mail"), GUEST_SUSPENDED);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	report_free(result.report);
	assert_all_running(&host);
	host_done(&host);
}

static void suspends_the_named_guests_and_those_that_need_them(void **state)
{
	char name[] = "fw", *names[] = { name };
	struct cycle_params params = {
		.trigger = "test",
		.names = names,
		.n_names = 1,
	};
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	report_free(report);
	assert_int_equal(state_of(&host, "web"), GUEST_SUSPENDED);
	assert_int_equal(state_of(&host, "mail"), GUEST_SUSPENDED);
	assert_int_equal(state_of(&host, "fw"), GUEST_SUSPENDED);
	assert_int_equal(state_of(&host, "netvm"), GUEST_RUNNING);
	assert_int_equal(state_of(&host, "vault"), GUEST_RUNNING);
	host_done(&host);
}

static void waits_for_devices_with_resume_after_ready(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	host.config.resume_after = RESUME_AFTER_READY;
	report = run_cycle(&host, true);
	assert_true(guest_of(report, "netvm")->ready_us <= guest_of(report, "fw")->running_us);
	assert_string_equal(cycle_result_name(report->result), "ok");
	report_free(report);
	host_done(&host);
}

/* As much of the resume as possible is done before the sleep. */
static const struct sleeper_ops *sleeper_below;
static size_t n_prepared;

static int count_prepared(struct hypervisor *hypervisor, const struct domain_id *id)
{
	n_prepared++;
	return ops_below->prepare_resume(hypervisor, id);
}

static const char *another_state;

static int enter_with_all_prepared(struct sleeper *sleeper, struct loop *loop,
				   uint64_t *ret_slept_us, struct error *error)
{
	assert_int_equal(n_prepared, 5);
	return sleeper_below->enter(sleeper, loop, ret_slept_us, error);
}

static int enter_another_state(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
			       struct error *error)
{
	int r = sleeper_below->enter(sleeper, loop, ret_slept_us, error);

	strcpy(sleeper->state, another_state);
	return r;
}

static void a_sleep_in_another_state_than_s3_is_degraded(void **state)
{
	static const char *const states[] = { "s2idle", "" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(states); i++) {
		struct sleeper_ops sleeper_ops;
		struct report *report;
		struct host host;

		host_init_laptop(&host, "");
		another_state = states[i];
		sleeper_below = host.sleeper->ops;
		sleeper_ops = *sleeper_below;
		sleeper_ops.enter = enter_another_state;
		host.sleeper->ops = &sleeper_ops;
		report = run_cycle(&host, true);
		assert_int_equal(report->result, RESULT_DEGRADED);
		assert_string_equal(report->slept_in, states[i]);
		assert_non_null(strstr(report->detail, i ? "an unknown state" : "slept in s2idle"));
		report_free(report);
		/* The control. */
		host.sleeper->ops = sleeper_below;
		report = run_cycle(&host, true);
		assert_int_equal(report->result, RESULT_OK);
		assert_string_equal(report->slept_in, "deep");
		report_free(report);
		host_done(&host);
	}
}

static void prepares_the_resume_of_all_before_the_host_sleeps(void **state)
{
	struct hypervisor_ops hypervisor_ops;
	struct sleeper_ops sleeper_ops;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	put_between(&host, &hypervisor_ops);
	hypervisor_ops.prepare_resume = count_prepared;
	sleeper_below = host.sleeper->ops;
	sleeper_ops = *sleeper_below;
	sleeper_ops.enter = enter_with_all_prepared;
	host.sleeper->ops = &sleeper_ops;
	n_prepared = 0;
	report_free(run_cycle(&host, true));
	host.hypervisor->ops = ops_below;
	host.sleeper->ops = sleeper_below;
	assert_all_running(&host);
	host_done(&host);
}

static void resumes_at_once_without_a_sleep(void **state)
{
	struct cycle_params params = { .trigger = "cycle", .resumes_at_once = true };
	struct report *report = NULL;
	struct error error = { 0 };
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	assert_string_equal(cycle_result_name(report->result), "ok");
	assert_false(report->kept_suspended);
	assert_int_equal(report->slept_us, CYCLE_NEVER);
	assert_int_equal(guest_of(report, "netvm")->running_us > guest_of(report, "netvm")->down_us,
			 true);
	assert_all_running(&host);
	assert_no_journal(&host);
	report_free(report);
	host_done(&host);
}

static uint64_t reports_after_a_measurement(struct host *host)
{
	struct cycle_params params = {
		.trigger = "bench",
		.resumes_at_once = true,
		.is_measurement = true,
	};
	struct report *report = NULL;
	struct error error = { 0 };

	assert_int_equal(coordinator_suspend(&host->coordinator, &params, &report, &error), 0);
	report_free(report);
	assert_no_journal(host);
	return report_last_number(host->roots.reports);
}

static void a_measurement_keeps_its_report_only_if_not_ok(void **state)
{
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	assert_int_equal(reports_after_a_measurement(&host), 0);
	assert_int_equal(reports_after_a_measurement(&host), 0);
	host_done(&host);
	host_init_laptop(&host, "Behaviour=ignores-requests\n");
	assert_int_equal(reports_after_a_measurement(&host), 1);
	host_done(&host);
}

/* ---- crashes ------------------------------------------------------------ */

struct crash {
	struct host *host;
	unsigned int at; /* die with this record */
	unsigned int seen;
};

static void die_at_record(void *data, const struct cycle *cycle, const struct record *record)
{
	struct crash *crash = data;

	(void)cycle;
	(void)record;
	if (++crash->seen < crash->at)
		return;
	/* The state of the hypervisor outlives the process. */
	hypervisor_close(crash->host->hypervisor);
	_exit(99);
}

/*
 * Runs a cycle in a process that dies at a record; returns false if the cycle ended
 * before. Opens the host again in the state that the process has left.
 */
static bool crash_at(struct host *host, unsigned int at)
{
	struct crash crash = { .host = host, .at = at };
	int status;
	pid_t child;

	hypervisor_close(host->hypervisor);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		host_open(host);
		host->coordinator.observer = die_at_record;
		host->coordinator.observer_data = &crash;
		report_free(run_cycle(host, true));
		hypervisor_close(host->hypervisor);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	host_open(host);
	return WEXITSTATUS(status) == 99;
}

static void the_next_cycle_first_undoes_an_interrupted_one(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	/* At this record some guests are suspended. */
	assert_true(crash_at(&host, 14));
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "ok");
	assert_all_running(&host);
	assert_no_journal(&host);
	report_free(report);
	host_done(&host);
}

/* A service manager that puts the host to sleep by itself, or fails to. */
struct managed_sleep {
	struct sleep_manager manager;
	struct host *host;
	uint64_t slept_us;
	uint64_t sleeps_for_us;
	unsigned int awaited;
};

static struct managed_sleep *managed(struct sleep_manager *manager)
{
	return (struct managed_sleep *)manager;
}

static uint64_t managed_slept_us(struct sleep_manager *manager)
{
	return managed(manager)->slept_us;
}

static int managed_await_end(struct sleep_manager *manager, struct loop *loop,
			     uint64_t slept_before_us)
{
	static const char *const names[] = { "netvm", "fw", "web", "vault" };
	struct managed_sleep *sleep = managed(manager);

	(void)loop;
	assert_int_equal(slept_before_us, sleep->slept_us);
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_int_equal(state_of(sleep->host, names[i]), GUEST_SUSPENDED);
	sleep->awaited++;
	sleep->slept_us += sleep->sleeps_for_us;
	return 0;
}

static const struct sleep_manager_ops managed_ops = {
	.slept_us = managed_slept_us,
	.await_end = managed_await_end,
};

static struct report *last_report(const struct host *host)
{
	struct report *report = NULL;
	struct error error = { 0 };

	if (report_load(host->roots.reports, 0, &report, &error) < 0)
		fail_msg("%s", error_text(&error));
	return report;
}

/* Returns whether the coordinator died at this record. */
static bool recover_after_crash(unsigned int at, uint64_t sleeps_for_us, unsigned int *awaited)
{
	struct host host;
	struct managed_sleep sleep = {
		.manager.ops = &managed_ops,
		.host = &host,
		.slept_us = 7000000,
		.sleeps_for_us = sleeps_for_us,
	};
	struct resume_result result;
	struct error error = { 0 };
	bool crashed;

	host_init_laptop(&host, "");
	host.sleep_manager = &sleep.manager;
	crashed = crash_at(&host, at);
	assert_int_equal(coordinator_recover(&host.coordinator, &result, &error), 0);
	report_free(result.report);
	assert_all_running(&host);
	assert_no_journal(&host);
	if (sleep.awaited) {
		struct report *report = last_report(&host);

		assert_string_equal(cycle_result_name(report->result),
				    sleeps_for_us ? "ok" : "failed");
		if (sleeps_for_us)
			assert_int_equal(report->slept_us, sleeps_for_us);
		report_free(report);
	}
	*awaited += sleep.awaited;
	host_done(&host);
	return crashed;
}

/* At any record after the last guest was suspended and before the wake. */
static void adopts_guests_of_a_coordinator_that_died_before_the_sleep(void **state)
{
	static const uint64_t sleeps_us[] = { 0, 5000000 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(sleeps_us); i++) {
		unsigned int awaited = 0;

		for (unsigned int at = 1; recover_after_crash(at, sleeps_us[i], &awaited); at++)
			;
		assert_int_equal(awaited, 1);
	}
}

static void sleeps_beside_a_broken_journal_and_reports_it_once(void **state)
{
	struct report *report;
	struct host host;
	char path[128];
	FILE *file;

	(void)state;
	host_init_laptop(&host, "");
	assert_int_equal(directory_make(host.roots.journals), 0);
	snprintf(path, sizeof(path), "%s/7", host.roots.journals);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("not a journal\n", file);
	fclose(file);
	report = run_cycle(&host, true);
	assert_non_null(strstr(report->detail, "cycles/7"));
	assert_all_running(&host);
	report_free(report);
	report = run_cycle(&host, true);
	assert_string_equal(report->detail, "");
	report_free(report);
	host_done(&host);
}

static void is_told_to_stop(void *data, const struct cycle *cycle, const struct record *record)
{
	struct host *host = data;

	(void)cycle;
	if (record->type == RECORD_PHASE && strcmp(record->text, host->stop_in) == 0)
		loop_interrupt(host->loop, SIGTERM);
}

static void a_signal_in_any_phase_before_the_sleep_is_undone(void **state)
{
	static const char *const phases[] = { "inventory", "prepare", "suspend" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(phases); i++) {
		struct report *report;
		struct host host;

		host_init_laptop(&host, "");
		host.stop_in = phases[i];
		host.coordinator.observer = is_told_to_stop;
		host.coordinator.observer_data = &host;
		report = run_cycle(&host, true);
		assert_string_equal(cycle_result_name(report->result), "failed");
		assert_int_equal(report->slept_us, CYCLE_NEVER);
		assert_all_running(&host);
		assert_no_journal(&host);
		report_free(report);
		host_done(&host);
	}
}

/* Without a guest to wait for, the signal is handled, too. */
static void a_signal_keeps_a_host_without_guests_awake(void **state)
{
	struct report *report;
	struct host host;

	(void)state;
	host_init(&host, "");
	loop_interrupt(host.loop, SIGTERM);
	report = run_cycle(&host, true);
	assert_string_equal(cycle_result_name(report->result), "failed");
	assert_non_null(strstr(report->detail, "stopped by SIGTERM"));
	report_free(report);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suspends_dependents_first_and_resumes_in_reverse),
		cmocka_unit_test(pauses_and_names_a_guest_that_does_not_suspend),
		cmocka_unit_test(undoes_the_cycle_when_a_guest_fails_with_on_failure_abort),
		cmocka_unit_test(sleeps_at_the_deadline_and_names_the_cause),
		cmocka_unit_test(resumes_all_guests_when_the_host_does_not_sleep),
		cmocka_unit_test(reads_the_agents_last_state_before_the_suspend),
		cmocka_unit_test(does_not_resume_guests_that_it_did_not_suspend),
		cmocka_unit_test(falls_back_to_the_kernel_when_the_agent_is_dead),
		cmocka_unit_test(a_crashed_guest_does_not_fail_the_others),
		cmocka_unit_test(resumes_the_others_when_one_cannot_be_resumed),
		cmocka_unit_test(a_stranded_guest_is_resumed_by_the_next_command),
		cmocka_unit_test(reports_lost_devices),
		cmocka_unit_test(keeps_guests_suspended_until_resume_all_which_is_idempotent),
		cmocka_unit_test(a_guest_destroyed_while_kept_suspended_is_not_resumed),
		cmocka_unit_test(an_agent_that_is_ready_is_not_notified_again),
		cmocka_unit_test(resumes_the_named_guests_and_those_they_need),
		cmocka_unit_test(suspends_the_named_guests_and_those_that_need_them),
		cmocka_unit_test(waits_for_devices_with_resume_after_ready),
		cmocka_unit_test(prepares_the_resume_of_all_before_the_host_sleeps),
		cmocka_unit_test(a_sleep_in_another_state_than_s3_is_degraded),
		cmocka_unit_test(resumes_at_once_without_a_sleep),
		cmocka_unit_test(a_measurement_keeps_its_report_only_if_not_ok),
		cmocka_unit_test(adopts_guests_of_a_coordinator_that_died_before_the_sleep),
		cmocka_unit_test(sleeps_beside_a_broken_journal_and_reports_it_once),
		cmocka_unit_test(the_next_cycle_first_undoes_an_interrupted_one),
		cmocka_unit_test(an_agent_that_was_stopped_does_not_degrade_the_cycle),
		cmocka_unit_test(a_resume_that_fails_is_tried_again_once),
		cmocka_unit_test(a_late_guest_whose_state_cannot_be_read_stays_recorded),
		cmocka_unit_test(a_paused_guest_may_still_be_late_when_others_are_resumed),
		cmocka_unit_test(a_guest_stays_late_when_the_wait_for_it_fails),
		cmocka_unit_test(a_guest_that_suspends_as_it_is_paused_is_resumed_too),
		cmocka_unit_test(a_guest_that_could_not_be_paused_may_be_late_after_the_sleep),
		cmocka_unit_test(finishes_a_journal_of_an_older_pmcoord),
		cmocka_unit_test(a_guest_destroyed_right_after_its_resume_is_named),
		cmocka_unit_test(a_signal_in_any_phase_before_the_sleep_is_undone),
		cmocka_unit_test(a_signal_keeps_a_host_without_guests_awake),
	};

	return cmocka_run_group_tests_name("coordinator", tests, NULL, NULL);
}
