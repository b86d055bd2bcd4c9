/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Properties that hold on every host, tested on random hosts: guests of all
 * kinds with all faults, connected at random, also in dependency loops.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/plan.h"
#include "record/report.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

#define N_MAX 14
#define SCENARIO_MAX 8192
#define NEVER SIZE_MAX

static uint32_t below(uint32_t n)
{
	return (uint32_t)random() % n;
}

/* ---- random hosts -------------------------------------------------------- */

static const char *const kinds[] = {
	"",
	"",
	"Agent=yes\n",
	"Agent=yes\nPCIFunctions=1\n",
	"Agent=yes\nAgentVersion=7\n",
	"Type=pvh\n",
	"Type=hvm\n",
	"Type=hvm\nPVDrivers=no\n",
	"KernelEventChannel=yes\n",
	"FeatureSuspend=no\n",
	"FeatureSuspend=\n",
};

static const char *const fates[] = {
	"",
	"",
	"",
	"",
	"",
	"",
	"State=paused\n",
	"State=suspended\n",
	"State=booting\n",
	"State=acpi-s3\n",
	"State=shutting-down\n",
	"State=saving\n",
	"Behaviour=ignores-requests\n",
	"Behaviour=hangs-after-ack\n",
	"Behaviour=goes-down-late\nLateTime=12s\n",
	"Behaviour=goes-down-late\nLateTime=3s\n",
	"Behaviour=dies\n",
	"Behaviour=refuses\n",
	"Behaviour=agent-is-dead\n",
	"Behaviour=agent-port-is-stale\n",
	"Behaviour=comes-back-degraded\n",
	"Behaviour=never-ready\n",
	"DestroyedAfter=25ms\n",
	"AppearsAfter=25ms\n",
	"UserPausesAfter=25ms\n",
};

static const char *const devices[] = { "vif", "vbd", "pci", "vusb", "console" };

/* `loops`: a guest may also need a later one, so that loops can arise. */
static void print_links(FILE *out, uint32_t i, uint32_t n, bool loops)
{
	uint32_t last = loops ? n : i;

	if (last == 0 || below(3) == 0)
		return;
	fprintf(out, "Needs=");
	for (uint32_t j = below(3) + 1; j > 0; j--)
		fprintf(out, "%s:g%u ", devices[below(ELEMENTSOF(devices))], below(last));
	fprintf(out, "\n");
	if (below(4) == 0)
		fprintf(out, "ToolstackRecord=no\nClaims=pci:g%u\n", below(n));
}

static void random_scenario(char *ret, size_t size, bool behaves, bool loops)
{
	FILE *out = fmemopen(ret, size, "w");
	uint32_t n = 2 + below(N_MAX - 1);

	assert_non_null(out);
	for (uint32_t i = 0; i < n; i++) {
		fprintf(out, "[Guest \"g%u\"]\nSuspendTime=%ums\n", i, 10 + below(40));
		fputs(kinds[below(ELEMENTSOF(kinds))], out);
		if (!behaves)
			fputs(fates[below(ELEMENTSOF(fates))], out);
		print_links(out, i, n, loops);
	}
	assert_int_equal(fclose(out), 0);
}

static void host_init(struct host *host, const char *scenario)
{
	host_prepare(host);
	host_write(host, scenario);
	host_open(host);
}

/* ---- order of the journal ------------------------------------------------ */

/* Per guest: index of a record in the journal; NEVER: no such record. */
struct moments {
	size_t n_records;
	size_t started[N_MAX], over[N_MAX], held[N_MAX]; /* suspend */
	size_t resumed[N_MAX], running[N_MAX];
	bool aborted;
};

static void set_first(size_t *moment, size_t now)
{
	if (*moment == NEVER)
		*moment = now;
}

static void record_moment(void *data, const struct cycle *cycle, const struct record *record)
{
	struct moments *moments = data;
	size_t now = moments->n_records++, i = record->guest;

	(void)cycle;
	switch (record->type) {
	case RECORD_REQUEST:
	case RECORD_PAUSE:
		set_first(&moments->started[i], now);
		break;
	case RECORD_SUSPENDED:
	case RECORD_PAUSED:
		if (strcmp(record->text, "suspended late") == 0)
			break;
		set_first(&moments->over[i], now);
		set_first(&moments->held[i], now);
		break;
	case RECORD_FAIL:
	case RECORD_SKIP:
		set_first(&moments->over[i], now);
		break;
	case RECORD_RESUME:
		set_first(&moments->resumed[i], now);
		break;
	case RECORD_RUNNING:
		set_first(&moments->running[i], now);
		break;
	case RECORD_ABORT:
		moments->aborted = true;
		break;
	default:
		break;
	}
}

static void moments_init(struct moments *moments)
{
	*moments = (struct moments){ 0 };
	for (size_t i = 0; i < N_MAX; i++)
		moments->started[i] = moments->over[i] = moments->held[i] = moments->resumed[i] =
			moments->running[i] = NEVER;
}

/* Step `first` must have ended before step `then` begins. */
static void check_suspend(const struct moments *moments, size_t first, size_t then)
{
	if (moments->started[then] == NEVER)
		return;
	assert_true(moments->over[first] < moments->started[then]);
}

static void check_resume(const struct moments *moments, size_t first, size_t then)
{
	/* A guest that suspended too late is not waited for. */
	if (moments->held[first] == NEVER || moments->running[first] == NEVER ||
	    moments->resumed[then] == NEVER)
		return;
	assert_true(moments->running[first] < moments->resumed[then]);
}

static void check_order(const struct plan *plan, const struct moments *moments)
{
	struct plan_walk walk;

	assert_int_equal(plan_walk_init(&walk, plan), 0);
	for (size_t i = 0; i < plan->n_steps; i++) {
		size_t guest = plan->steps[i].guest;

		if (plan->steps[i].mechanism == MECHANISM_NONE)
			continue;
		plan_find_before(&walk, guest, false);
		for (size_t j = 0; j < walk.n_found; j++)
			check_suspend(moments, plan->step_of_guest[walk.found[j]], i);
		plan_find_before(&walk, guest, true);
		for (size_t j = 0; j < walk.n_found; j++)
			check_resume(moments, plan->step_of_guest[walk.found[j]], i);
	}
	plan_walk_done(&walk);
}

/* ---- inventory and plan before and after --------------------------------- */

static void plan_now(struct host *host, struct plan *ret_plan)
{
	struct error error = { 0 };

	if (coordinator_plan(&host->coordinator, NULL, ret_plan, &error) < 0)
		fail_msg("%s", error_text(&error));
}

static void run_and_check(struct host *host, const char *scenario)
{
	struct cycle_params params = { .trigger = "test", .sleeper = host->sleeper };
	struct report *report = NULL;
	struct error error = { 0 };
	struct plan before;
	struct moments moments;

	moments_init(&moments);
	plan_now(host, &before);
	host->coordinator.observer = record_moment;
	host->coordinator.observer_data = &moments;
	if (coordinator_suspend(&host->coordinator, &params, &report, &error) < 0)
		fail_msg("%s\non\n%s", error_text(&error), scenario);
	check_order(&before, &moments);
	assert_as_before(host, &before.inventory);
	assert_int_equal(moments.aborted, report->result == RESULT_FAILED);
	assert_no_journal(host);
	report_free(report);
	plan_done(&before);
}

static void run_on_random_hosts(unsigned int seed, void (*set)(struct config *))
{
	srandom(seed);
	for (int round = 0; round < 150; round++) {
		char scenario[SCENARIO_MAX];
		struct host host;

		random_scenario(scenario, sizeof(scenario), false, round % 2 == 0);
		host_init(&host, scenario);
		if (set)
			set(&host.config);
		run_and_check(&host, scenario);
		host_done(&host);
	}
}

static void keeps_the_order_with_misbehaving_guests(void **state)
{
	(void)state;
	run_on_random_hosts(1, NULL);
}

static void set_abort(struct config *config)
{
	config->on_failure = ON_FAILURE_ABORT;
}

static void keeps_the_order_when_the_cycle_is_aborted(void **state)
{
	(void)state;
	run_on_random_hosts(2, set_abort);
}

static void set_short_deadline(struct config *config)
{
	config->deadline_us = 40000;
}

static void keeps_the_order_after_the_deadline(void **state)
{
	(void)state;
	run_on_random_hosts(3, set_short_deadline);
}

static void set_ready(struct config *config)
{
	config->resume_after = RESUME_AFTER_READY;
}

static void keeps_the_order_with_resume_after_ready(void **state)
{
	(void)state;
	run_on_random_hosts(4, set_ready);
}

/* After suspend and resume the plan is the same as before. */
static void resume_is_the_inverse_of_suspend(void **state)
{
	(void)state;
	srandom(5);
	for (int round = 0; round < 100; round++) {
		struct resume_result result = { 0 };
		struct cycle_params params = { .trigger = "test" };
		struct report *report = NULL;
		struct error error = { 0 };
		struct plan before, after;
		char scenario[SCENARIO_MAX];
		struct host host;

		random_scenario(scenario, sizeof(scenario), true, true);
		host_init(&host, scenario);
		plan_now(&host, &before);
		assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error),
				 0);
		report_free(report);
		assert_int_equal(
			coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
		report_free(result.report);
		plan_now(&host, &after);
		assert_int_equal(before.n_steps, after.n_steps);
		for (size_t i = 0; i < before.n_steps; i++) {
			const struct step *was = &before.steps[i];
			const struct step *is = &after.steps[i];

			assert_int_equal(was->guest, is->guest);
			assert_int_equal(was->depth, is->depth);
			assert_int_equal(was->mechanism, is->mechanism);
		}
		plan_done(&before);
		plan_done(&after);
		host_done(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_order_with_misbehaving_guests),
		cmocka_unit_test(keeps_the_order_when_the_cycle_is_aborted),
		cmocka_unit_test(keeps_the_order_after_the_deadline),
		cmocka_unit_test(keeps_the_order_with_resume_after_ready),
		cmocka_unit_test(resume_is_the_inverse_of_suspend),
	};

	return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
