/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whole cycles in which one thing goes wrong, for every such thing: each call
 * of each verb fails, and a signal comes at each wait. Whatever happens, the
 * guests are back in the end, and who was at fault is named.
 */

#include "engine/coordinator.h"

#include <errno.h>
#include <signal.h>

#include "pmcoord/cleanup.h"
#include "record/report.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

/* Ends what the cycle has left, as `pmcoord resume-all` does. */
static void resume_all(struct host *host)
{
	struct resume_result result = { 0 };
	struct error error = { 0 };

	if (coordinator_resume(&host->coordinator, NULL, 0, false, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	json_object_put(result.report);
}

static void laptop_with_failure(struct host *host, const char *verb, unsigned int call,
				const char *mail)
{
	char more[256];

	snprintf(more, sizeof(more), "%s[Host]\nFail=%s:%u\n", mail, verb, call);
	host_init_laptop(host, more);
}

/* From now on nothing fails any more; what has happened stays. */
static void mend(struct host *host, const char *mail)
{
	hypervisor_close(host->hypervisor);
	host_write_laptop(host, mail);
	host_open(host);
}

/* Whether the report says that something was not as planned, and what. */
static void assert_blames(struct json_object *report)
{
	char blame[512];

	report_blame(report, blame, sizeof(blame));
	assert_true(report_result(report) == RESULT_OK || blame[0] != '\0');
	assert_null(strstr(blame, "(null)"));
}

/* Returns whether there was such a call. */
static bool fail_once(const char *verb, unsigned int call, const char *mail)
{
	struct json_object *report = NULL;
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
	else
		assert_blames(report);
	json_object_put(report);
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

static void everyone_is_back_whichever_call_of_whichever_verb_fails(void **state)
{
	static const char *const mails[] = {
		"",
		/* Retracting and pausing only come with who does not go. */
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

/* ---- signals ------------------------------------------------------------ */

/* The simulator's loop, with a signal at one of its waits. */
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

/* Returns whether there was such a wait. */
static bool interrupt_at(const char *scenario, unsigned int wait, unsigned int *ret_aborted)
{
	struct cycle_params params = { .trigger = "test" };
	struct json_object *report = NULL;
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
	*ret_aborted += report_result(report) == RESULT_FAILED;
	json_object_put(report);
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
		/* As long as not all are down; then it only comes back. */
		assert_true(aborted > 0 && wait > 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everyone_is_back_whichever_call_of_whichever_verb_fails),
		cmocka_unit_test(a_signal_at_any_wait_undoes_the_cycle),
	};

	return cmocka_run_group_tests_name("sweeps", tests, NULL, NULL);
}
