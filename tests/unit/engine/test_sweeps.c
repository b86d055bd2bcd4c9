/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whole cycles in which each call of each verb fails, any two of them fail, or a
 * signal arrives at each wait. In each case the guests are resumed at the end and the
 * report names the cause; a guest that is not resumed yet is recorded in a journal.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "base/moment.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "record/journal.h"
#include "record/report.h"
#include "sim/simulator-machine.h"
#include "sim/simulator.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

/* Resumes what the cycle has left suspended, as `pmcoord resume-all` does. */
static void resume_all(struct host *host)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };

	if (coordinator_resume(&host->coordinator, NULL, 0, false, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(result.report);
}

static void laptop_with_failure(struct host *host, const char *verb, unsigned int call,
				const char *mail)
{
	char more[256];

	snprintf(more, sizeof(more), "%s[Host]\nFail=%s:%u\n", mail, verb, call);
	host_init_laptop(host, more);
}

/* Lets no further call fail, and keeps the state of the host. */
static void mend(struct host *host, const char *mail)
{
	hypervisor_close(host->hypervisor);
	host_write_laptop(host, mail);
	host_open(host);
}

/* Does the report contain a result other than ok, and its cause? */
static void assert_blames(struct report *report)
{
	char blame[512];

	report_explain(report, blame, sizeof(blame));
	assert_true(report->result == RESULT_OK || blame[0] != '\0');
	assert_null(strstr(blame, "(null)"));
}

/* Returns whether the call was reached. */
static bool fail_once(const char *verb, unsigned int call, const char *mail)
{
	struct report *report = NULL;
	struct error error = { 0 };
	struct cycle_params params = { .trigger = "test" };
	struct host host;
	bool failed;
	int r;

	laptop_with_failure(&host, verb, call, mail);
	params.sleeper = host.sleeper;
	r = coordinator_suspend(&host.coordinator, &params, &report, &error);
	failed = simulator_calls(host.hypervisor, verb) >= call;
	if (r < 0)
		assert_true(error.text[0] != '\0');
	/* Every refused sleep leaves a report with its reason. */
	assert_non_null(report);
	assert_true(report->slept_us != MOMENT_NEVER || report->detail[0] != '\0');
	assert_blames(report);
	report_free(report);
	mend(&host, mail);
	resume_all(&host);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
	return failed;
}

static void fail_each_call(const char *verb, const char *mail)
{
	unsigned int call = 1;

	while (fail_once(verb, call, mail))
		call++;
}

static void all_guests_are_resumed_whichever_call_fails(void **state)
{
	static const char *const mails[] = {
		"",
		/* Retracting and pausing need a guest that does not suspend. */
		"Behaviour=ignores-requests\n",
		"Behaviour=goes-down-late\n",
		"Behaviour=refuses\nAgent=yes\n",
	};
	const char *verb;

	(void)state;
	for (size_t mail = 0; mail < ELEMENTSOF(mails); mail++)
		for (size_t i = 0; (verb = simulator_verb(i)); i++)
			fail_each_call(verb, mails[mail]);
}

/* ---- pairs -------------------------------------------------------------- */

struct failure {
	const char *verb;
	unsigned int call;
};

/* A host with a driver domain and a guest that needs it, and its cycle. */
struct sweep {
	const char *guest; /* further keys of the guest */
	enum config_on_failure on_failure;
	bool held; /* guests are kept suspended until resume-all */
	enum config_resume_after resume_after;
};

/* Opens the host and lets these calls fail; NULL: no call. */
static void open_with_failures(struct host *host, const struct sweep *sweep,
			       const struct failure *failures)
{
	char scenario[512], fail[64] = "";

	if (failures)
		snprintf(fail, sizeof(fail), "Fail=%s:%u %s:%u\n", failures[0].verb,
			 failures[0].call, failures[1].verb, failures[1].call);
	snprintf(scenario, sizeof(scenario),
		 "[Host]\n%s[Guest \"netvm\"]\nAgent=yes\n"
		 "[Guest \"web\"]\nNeeds=netvm\n%s",
		 fail, sweep->guest);
	host_write(host, scenario);
	host_open(host);
}

static bool is_on_record(const struct cycle *cycle, const struct guest *guest, bool or_late)
{
	for (size_t i = 0; i < cycle->n_guests; i++) {
		const struct cycle_guest *known = &cycle->guests[i];

		if (known->domid == guest->domid &&
		    (known->hold != HOLD_NONE || (or_late && known->may_suspend_late)))
			return true;
	}
	return false;
}

static bool is_in_a_journal(const struct host *host, const struct guest *guest, bool or_late)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = journal_list(host->roots.journals, &numbers);
	bool found = false;

	while (n-- > 0) {
		struct cycle cycle = { 0 };
		struct error error = { 0 };

		if (journal_read(host->roots.journals, numbers[n], &cycle, &error) < 0)
			fail_msg("%s", error_text(&error));
		found |= is_on_record(&cycle, guest, or_late);
		cycle_done(&cycle);
	}
	return found;
}

/*
 * Is a guest suspended or paused? Each of them must be recorded in a journal as kept
 * suspended or as late. Reads the simulator's state, because verbs may fail.
 */
static bool any_does_not_run(const struct host *host, bool or_late)
{
	const struct simulator *simulator =
		container_of(host->hypervisor, struct simulator, hypervisor);
	bool any = false;

	for (size_t i = 0; i < simulator->n_guests; i++) {
		const struct sim_guest *guest = &simulator->guests[i];

		if (guest->facts.state != GUEST_SUSPENDED && guest->pauses == 0)
			continue;
		any = true;
		if (!is_in_a_journal(host, &guest->facts, or_late))
			fail_msg("%s is forgotten", guest->facts.name);
	}
	return any;
}

/* A cycle that fails, or leaves a guest suspended, must not be ok. */
static void suspend_with_failures(struct host *host, const struct sweep *sweep)
{
	struct cycle_params params = {
		.trigger = "test",
		.sleeper = sweep->held ? NULL : host->sleeper,
	};
	struct report *report = NULL;
	struct error error = { 0 };
	int r = coordinator_suspend(&host->coordinator, &params, &report, &error);

	if (r < 0)
		assert_true(error.text[0] != '\0');
	else if (report)
		assert_blames(report);
	if (any_does_not_run(host, false) && r == 0)
		assert_true(sweep->held || report_stranded(report));
	report_free(report);
}

static void resume_with_failures(struct host *host)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };
	int r = coordinator_resume(&host->coordinator, NULL, 0, false, &result, &error);

	if (any_does_not_run(host, false) && r == 0)
		assert_true(result.stranded[0] != '\0');
	report_free(result.report);
}

/* Returns whether both calls were reached. */
static bool fail_twice(struct host *host, const struct sweep *sweep,
		       const struct failure failures[2])
{
	bool failed = true;

	unlink(host->state);
	open_with_failures(host, sweep, failures);
	suspend_with_failures(host, sweep);
	resume_with_failures(host);
	for (size_t i = 0; i < 2; i++)
		failed &= simulator_calls(host->hypervisor, failures[i].verb) >= failures[i].call;
	let_time_pass(host);
	any_does_not_run(host, true);
	hypervisor_close(host->hypervisor);
	open_with_failures(host, sweep, NULL);
	resume_all(host);
	let_time_pass(host);
	assert_false(any_does_not_run(host, false));
	assert_no_journal(host);
	hypervisor_close(host->hypervisor);
	return failed;
}

/*
 * Fails this call together with each that is not before it in the order of verbs.
 * Returns whether this call was reached.
 */
static bool fail_with_each_other(struct host *host, const struct sweep *sweep, size_t verb,
				 unsigned int call)
{
	struct failure failures[2] = { { simulator_verb(verb), call },
				       { simulator_verb(verb), call } };

	if (!fail_twice(host, sweep, failures))
		return false;
	for (size_t i = verb; (failures[1].verb = simulator_verb(i)); i++) {
		failures[1].call = i == verb ? call + 1 : 1;
		while (fail_twice(host, sweep, failures))
			failures[1].call++;
	}
	return true;
}

static void fail_each_pair(const struct sweep *sweep)
{
	struct host host;

	host_prepare(&host);
	host.config.on_failure = sweep->on_failure;
	host.config.resume_after = sweep->resume_after;
	host.config.keep_reports = 1;
	for (size_t i = 0; simulator_verb(i); i++) {
		unsigned int call = 1;

		while (fail_with_each_other(&host, sweep, i, call))
			call++;
	}
	open_with_failures(&host, sweep, NULL);
	host_done(&host);
}

#define LATE "Behaviour=goes-down-late\nLateTime=13s\n"

static void suspended_guests_stay_recorded_whichever_two_calls_fail(void **state)
{
	static const struct sweep sweeps[] = {
		{ .guest = "" },
		{ .guest = "Agent=yes\n", .resume_after = RESUME_AFTER_READY },
		{ .guest = "Behaviour=ignores-requests\n" },
		{ .guest = "Behaviour=ignores-requests\n", .held = true },
		{ .guest = "Behaviour=hangs-after-ack\n", .on_failure = ON_FAILURE_ABORT },
		{ .guest = "Agent=yes\nBehaviour=refuses\n" },
		/* It suspends at its time limit, or later. */
		{ .guest = "Behaviour=goes-down-late\nLateTime=10s\n" },
		{ .guest = LATE },
		{ .guest = LATE, .held = true },
		{ .guest = LATE, .resume_after = RESUME_AFTER_READY },
		{ .guest = LATE, .on_failure = ON_FAILURE_ABORT },
		{ .guest = "Agent=yes\n" LATE, .on_failure = ON_FAILURE_ABORT },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(sweeps); i++)
		fail_each_pair(&sweeps[i]);
}

/* ---- signals ------------------------------------------------------------ */

/* The simulator's loop, with a stop signal at one of its waits. */
static struct {
	const struct loop_ops *ops;
	unsigned int waits, at;
} interrupted;

static int wait_and_interrupt(struct loop *loop, uint64_t deadline_us)
{
	if (++interrupted.waits == interrupted.at)
		loop_interrupt(loop, SIGTERM);
	return interrupted.ops->wait(loop, deadline_us);
}

/* Returns whether the wait was reached. */
static bool interrupt_at(const char *scenario, unsigned int wait, unsigned int *ret_aborted)
{
	struct cycle_params params = { .trigger = "test" };
	struct report *report = NULL;
	struct inventory before;
	struct error error = { 0 };
	struct loop_ops ops;
	struct host host;

	host_init_shipped(&host, scenario);
	before = host_inventory(&host);
	ops = *host.loop->ops;
	interrupted.ops = host.loop->ops;
	interrupted.waits = 0;
	interrupted.at = wait;
	ops.wait = wait_and_interrupt;
	host.loop->ops = &ops;
	params.sleeper = host.sleeper;
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	host.loop->ops = interrupted.ops;
	assert_as_before(&host, &before);
	assert_no_journal(&host);
	assert_blames(report);
	*ret_aborted += report->result == RESULT_FAILED;
	report_free(report);
	inventory_done(&before);
	host_done(&host);
	return interrupted.waits >= wait;
}

static void a_signal_at_any_wait_undoes_the_cycle(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(shipped_scenarios); i++) {
		unsigned int wait = 1, aborted = 0;

		while (interrupt_at(shipped_scenarios[i], wait, &aborted))
			wait++;
		/* Until all guests are suspended; later a signal does not abort. */
		assert_true(aborted > 0 && wait > 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_guests_are_resumed_whichever_call_fails),
		cmocka_unit_test(suspended_guests_stay_recorded_whichever_two_calls_fail),
		cmocka_unit_test(a_signal_at_any_wait_undoes_the_cycle),
	};

	return cmocka_run_group_tests_name("sweeps", tests, NULL, NULL);
}
