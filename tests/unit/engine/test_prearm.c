/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The channels and requests that the daemon prepares, on the simulator. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "model/cycle.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "record/report.h"
#include "engine/prearm.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

static struct guest_agent agent_of(struct host *host, const char *name)
{
	struct inventory inventory = { 0 };
	struct guest_agent agent;

	assert_int_equal(host->hypervisor->ops->inventory(host->hypervisor, &inventory, NULL), 0);
	agent = inventory_find_name(&inventory, name)->agent;
	inventory_done(&inventory);
	return agent;
}

static void refresh(struct host *host)
{
	struct error error = { 0 };

	if (prearm_refresh(&host->coordinator, NULL, NULL, &error) < 0)
		fail_msg("%s", error_text(&error));
}

static void run_cycle(struct host *host)
{
	struct cycle_params params = { .trigger = "test", .sleeper = host->sleeper };
	struct report *report = NULL;

	assert_int_equal(coordinator_suspend(&host->coordinator, &params, &report, NULL), 0);
	report_free(report);
}

static void writes_the_next_request_ahead(void **state)
{
	struct guest_agent agent;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	refresh(&host);
	agent = agent_of(&host, "netvm");
	assert_int_equal(agent.request.verb, PROTOCOL_SUSPEND);
	assert_int_equal(agent.request.cycle, 1);
	run_cycle(&host);
	refresh(&host);
	assert_int_equal(agent_of(&host, "netvm").request.cycle, 2);
	assert_all_running(&host);
	assert_no_journal(&host);
	host_done(&host);
}

static void writes_the_request_once(void **state)
{
	struct guest_agent before, after;
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	refresh(&host);
	/* Before the agent's answer another event of it arrives. */
	assert_int_equal(host.loop->ops->wait(host.loop, loop_now(host.loop) + 5000), 0);
	before = agent_of(&host, "netvm");
	assert_int_equal(before.state.state, PROTOCOL_AGENT_READY);
	assert_int_equal(before.state.cycle, 1);
	refresh(&host);
	refresh(&host);
	after = agent_of(&host, "netvm");
	assert_memory_equal(&before, &after, sizeof(before));
	host_done(&host);
}

static void does_not_write_a_request_before_the_last_is_answered(void **state)
{
	struct host host;

	(void)state;
	host_init_laptop(&host, "Agent=yes\nBehaviour=agent-is-dead\n");
	refresh(&host);
	run_cycle(&host);
	refresh(&host);
	assert_int_equal(agent_of(&host, "netvm").request.cycle, 2);
	assert_int_not_equal(agent_of(&host, "mail").request.cycle, 2);
	host_done(&host);
}

struct witness {
	struct host *host;
	bool asked;
	struct agent_terms terms;
};

static void look_when_asked(void *data, const struct cycle *cycle, const struct record *record)
{
	struct witness *witness = data;

	if (record->type != RECORD_REQUEST ||
	    strcmp(cycle->guests[record->guest].name, "netvm") != 0)
		return;
	witness->asked = true;
	witness->terms = agent_of(witness->host, "netvm").terms;
}

/* What netvm's agent reads after a request. */
static struct agent_terms terms_when_asked(struct host *host)
{
	struct witness witness = { .host = host };

	host->coordinator.observer = look_when_asked;
	host->coordinator.observer_data = &witness;
	run_cycle(host);
	host->coordinator.observer = NULL;
	assert_true(witness.asked);
	return witness.terms;
}

static void writes_the_inhibitor_policy_before_each_request(void **state)
{
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	refresh(&host);
	assert_false(terms_when_asked(&host).ignore_inhibitors);
	refresh(&host);
	host.config.honour_inhibitors = false;
	assert_true(terms_when_asked(&host).ignore_inhibitors);
	refresh(&host);
	assert_true(agent_of(&host, "netvm").terms.ignore_inhibitors);
	host.config.honour_inhibitors = true;
	assert_false(terms_when_asked(&host).ignore_inhibitors);
	assert_all_running(&host);
	host_done(&host);
}

static void writes_the_time_limit_of_the_current_configuration(void **state)
{
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	host.config.guest_timeout_us = 7000000;
	refresh(&host);
	assert_int_equal(agent_of(&host, "netvm").terms.timeout_us, 7000000);
	host.config.guest_timeout_us = 3000000;
	refresh(&host);
	assert_int_equal(agent_of(&host, "netvm").terms.timeout_us, 3000000);
	assert_int_equal(agent_of(&host, "netvm").request.cycle, 1);
	/* Also if the file was edited after the last look at the guests. */
	host.config.guest_timeout_us = 4000000;
	run_cycle(&host);
	assert_int_equal(agent_of(&host, "netvm").terms.timeout_us, 4000000);
	assert_all_running(&host);
	host_done(&host);
}

static void no_guest_gets_more_time_than_the_deadline(void **state)
{
	struct host host;

	(void)state;
	host_init_laptop(&host, "");
	host.config.guest_timeout_us = 20000000;
	host.config.deadline_us = 5000000;
	refresh(&host);
	assert_int_equal(agent_of(&host, "netvm").terms.timeout_us, 5000000);
	host_done(&host);
}

/* fw is requested when mail is suspended, and netvm after fw. */
static void a_guest_requested_late_gets_the_remaining_time(void **state)
{
	struct host host;
	uint64_t timeout_us;

	(void)state;
	host_init_laptop(&host, "SuspendTime=9s\n");
	host.config.guest_timeout_us = 10000000;
	host.config.deadline_us = 12000000;
	refresh(&host);
	timeout_us = terms_when_asked(&host).timeout_us;
	assert_true(timeout_us > 0);
	assert_true(timeout_us <= 3000000);
	/* The next cycle has the whole deadline again. */
	refresh(&host);
	assert_int_equal(agent_of(&host, "netvm").terms.timeout_us, 10000000);
	assert_all_running(&host);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_next_request_ahead),
		cmocka_unit_test(writes_the_request_once),
		cmocka_unit_test(writes_the_time_limit_of_the_current_configuration),
		cmocka_unit_test(a_guest_requested_late_gets_the_remaining_time),
		cmocka_unit_test(no_guest_gets_more_time_than_the_deadline),
		cmocka_unit_test(writes_the_inhibitor_policy_before_each_request),
		cmocka_unit_test(does_not_write_a_request_before_the_last_is_answered),
	};

	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
