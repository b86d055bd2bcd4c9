/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole cycles of the real engine and the real xen/ folder, on the double of Xen. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "base/moment.h"
#include "base/directory.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/inventory.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "record/report.h"
#include "engine/prearm.h"
#include "engine/recover.h"
#include "engine/suspend.h"
#include "tests/unit/xen/fake_host.h"
#include "tests/fakexen/agents.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/store-client.h"
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

static void assert_result(const struct report *report, enum cycle_result expected)
{
	char text[512];

	report_explain(report, text, sizeof(text));
	if (report->result != expected)
		fail_msg("%s instead of %s: %s", cycle_result_name(report->result),
			 cycle_result_name(expected), text);
}

/* ---- a good cycle -------------------------------------------------------- */

static void suspends_dependents_first_and_resumes_in_reverse(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_int_equal(host.n_slept, 1);
	assert_int_equal(host.n_ran_through, 0);
	assert_ordered(laptop.web, laptop.fw);
	assert_ordered(laptop.mail, laptop.fw);
	assert_ordered(laptop.fw, laptop.netvm);
	assert_untouched(laptop.netvm);
	assert_untouched(laptop.fw);
	assert_untouched(laptop.web);
	assert_untouched(laptop.mail);
	assert_untouched(laptop.vault);
	assert_int_equal(fake_agent_count(laptop.agent), 1);
	assert_int_equal(report->slept_us, host.sleep_us);
	report_free(report);
}

/* Nothing is polled: apart from the guests' own times, a cycle takes little. */
static void takes_little_more_than_its_guests_need(void **state)
{
	struct fake_domain *netvm;
	struct report *report;
	uint64_t begin_us;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	begin_us = virtual_time_now();
	report = fake_host_cycle(&host);
	netvm = fake_guest_domain(laptop.netvm);
	/* web, then fw: 31 ms each; netvm: 100 ms of its agent and 31 ms. */
	assert_in_range(netvm->suspended_us - begin_us, 193000, 225000);
	assert_in_range(fake_guest_domain(laptop.web)->resumed_us - netvm->suspended_us -
				host.sleep_us,
			0, 10000);
	report_free(report);
}

/* On a full /run, e.g.: here a directory is in the place of the file. */
static void suspends_all_guests_although_no_port_can_be_recorded(void **state)
{
	struct report *report;
	char path[128];

	(void)state;
	fake_laptop_build(&laptop, NULL);
	snprintf(path, sizeof(path), "%s/ports", host.roots.run);
	assert_int_equal(directory_make(path), 0);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_int_equal(host.n_ran_through, 0);
	assert_int_equal(fake_host_reported(report, "netvm")->mechanism, MECHANISM_AGENT);
	for (size_t i = 0; i < report->n_guests; i++)
		assert_int_equal(report->guests[i].outcome, OUTCOME_SUSPENDED);
	report_free(report);
}

static void arms_agents_ahead_for_the_next_cycle(void **state)
{
	struct report *report;
	struct error error = { 0 };

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	assert_int_equal(host.hypervisor->ops->watch_domains(host.hypervisor), 0);
	for (uint64_t cycle = 1; cycle <= 3; cycle++) {
		uint64_t requests;

		assert_int_equal(prearm_refresh(&host.coordinator, NULL, NULL, &error), 0);
		virtual_time_pass(1000000);
		assert_int_equal(prearm_refresh(&host.coordinator, NULL, NULL, &error), 0);
		requests = store_client_count();
		report = fake_host_cycle(&host);
		assert_result(report, RESULT_OK);
		assert_int_equal(report->cycle, cycle);
		assert_int_equal(fake_agent_count(laptop.agent), cycle);
		assert_true(store_client_count() - requests < 200);
		report_free(report);
		virtual_time_pass(1000000);
	}
}

/* xenstored announces the next shutdown only if it was told of the resume. */
static void tells_xenstored_of_each_resume(void **state)
{
	uint32_t domid;
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	report_free(report);
	domid = fake_guest_domid(laptop.web);
	toolstack_shut_down(domid, false);
	virtual_time_pass(5000000);
	assert_null(domains_find(domid));
}

static void leaks_no_port_over_many_cycles(void **state)
{
	unsigned int own, guest;
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	report_free(fake_host_cycle(&host));
	own = event_channels_count_ports(0);
	guest = event_channels_count_ports(fake_guest_domid(laptop.web));
	for (int i = 0; i < 5; i++) {
		fake_host_close(&host);
		fake_host_open(&host);
		report = fake_host_cycle(&host);
		assert_result(report, RESULT_OK);
		report_free(report);
	}
	assert_int_equal(event_channels_count_ports(0), own);
	assert_int_equal(event_channels_count_ports(fake_guest_domid(laptop.web)), guest);
}

/* ---- each mechanism ------------------------------------------------------ */

static void requests_over_the_channel_of_a_kernel(void **state)
{
	struct fake_guest_params params = { .name = "classic", .has_channel = true };
	struct fake_guest *guest = fake_guest_build(&params);
	struct report *report;

	(void)state;
	virtual_time_pass(1000);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_int_equal(fake_host_reported(report, "classic")->mechanism, MECHANISM_EVENT_CHANNEL);
	assert_int_equal(fake_guest_domain(guest)->n_suspended, 1);
	assert_untouched(guest);
	report_free(report);
}

static void forces_guests_without_drivers(void **state)
{
	struct fake_guest_params params = {
		.name = "windows",
		.kind = DOMAIN_HVM,
		.without_drivers = true,
	};
	struct fake_guest *guest = fake_guest_build(&params);
	struct report *report;

	(void)state;
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_int_equal(fake_host_reported(report, "windows")->mechanism, MECHANISM_HVM);
	assert_int_equal(fake_guest_domain(guest)->n_suspended, 1);
	assert_untouched(guest);
	report_free(report);
}

/* A PVH guest always makes its suspend hypercall, whatever can be read of it. */
static void resumes_each_guest_as_cancelled_when_a_read_fails(void **state)
{
	struct fake_guest_params params = { .name = "windows", .kind = DOMAIN_HVM };
	struct fake_guest *windows = fake_guest_build(&params);

	(void)state;
	fake_laptop_build(&laptop, NULL);
	/* Two reads of the inventory, one ahead of the resume, one at the resume. */
	for (unsigned int i = 0; i < 4; i++) {
		faults_start();
		faults_add("xc_hvm_param_get", NULL, EIO, i, 1);
		fake_host_open(&host);
		report_free(fake_host_cycle(&host));
		fake_host_close(&host);
		assert_untouched(laptop.vault);
		assert_untouched(windows);
	}
}

static void load_drivers(void *data)
{
	fake_guest_domain(data)->callback_irq = 1;
}

/* Its PV drivers load between inventory and request. */
static void asks_an_hvm_guest_whose_drivers_have_arrived(void **state)
{
	struct fake_guest_params params = { .name = "windows", .kind = DOMAIN_HVM };
	struct fake_guest *windows = fake_guest_build(&params);
	struct report *report;

	(void)state;
	fake_guest_domain(windows)->callback_irq = 0;
	fake_guest_add_device(fake_host_add("app"), fake_guest_domid(windows), "vbd", 1);
	fake_host_open(&host);
	virtual_time_after(20000, load_drivers, windows);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_int_equal(fake_host_reported(report, "windows")->mechanism, MECHANISM_XENSTORE);
	assert_int_equal(fake_guest_domain(windows)->n_suspended, 1);
	assert_untouched(windows);
	report_free(report);
}

static void writes_the_register_of_a_32_bit_guest(void **state)
{
	struct fake_guest *guest = fake_host_add("old");
	struct report *report;

	(void)state;
	fake_guest_domain(guest)->width = 4;
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_untouched(guest);
	report_free(report);
}

static void falls_back_when_an_agent_does_not_answer(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_agent_set_conduct(laptop.agent, AGENT_IS_DEAD);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(fake_host_reported(report, "netvm")->mechanism, MECHANISM_XENSTORE);
	assert_int_equal(host.n_ran_through, 0);
	assert_untouched(laptop.netvm);
	report_free(report);
}

static void falls_back_when_a_published_port_is_stale(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	event_channels_reset(fake_guest_domid(laptop.netvm));
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(fake_host_reported(report, "netvm")->mechanism, MECHANISM_XENSTORE);
	assert_non_null(strstr(fake_host_reported(report, "netvm")->detail, "stale"));
	report_free(report);
}

/* Such a port is as good as none, but it exists: somebody else has to let go of it. */
static void names_a_driver_domain_whose_port_another_program_holds(void **state)
{
	const struct report_guest *netvm;
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	assert_true(event_channels_bind_elsewhere(fake_guest_domid(laptop.netvm),
						  fake_agent_port(laptop.agent)));
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	netvm = fake_host_reported(report, "netvm");
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(netvm->mechanism, MECHANISM_XENSTORE);
	assert_non_null(strstr(netvm->detail, "another program of dom0 holds its agent's"));
	assert_untouched(laptop.netvm);
	report_free(report);
}

/* Each way in which the plan cannot use an agent that is there. */
static void names_a_driver_domain_that_is_not_quiesced(void **state)
{
	static const struct {
		const char *node, *text, *named;
	} cases[] = {
		{ "data/pmcoord/event-channel", "", "published no event channel" },
		{ "data/pmcoord/event-channel", "0", "published no event channel" },
		{ "data/pmcoord/version", "2", "unknown protocol version" },
		{ "data/pmcoord/version", "one", "unknown protocol version" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report;

		fake_laptop_build(&laptop, NULL);
		virtual_time_pass(1000000);
		store_write_as(fake_guest_domid(laptop.netvm), cases[i].node, cases[i].text);
		fake_host_open(&host);
		report = fake_host_cycle(&host);
		assert_result(report, RESULT_DEGRADED);
		assert_non_null(
			strstr(fake_host_reported(report, "netvm")->detail, cases[i].named));
		assert_untouched(laptop.netvm);
		report_free(report);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

static void pauses_a_guest_whose_agent_fails(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_agent_set_conduct(laptop.agent, AGENT_FAILS);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(fake_host_reported(report, "netvm")->outcome, OUTCOME_PAUSED);
	assert_non_null(strstr(fake_host_reported(report, "netvm")->detail, "sound card"));
	assert_int_equal(host.n_ran_through, 0);
	assert_untouched(laptop.netvm);
	report_free(report);
}

/* It is armed for the cycle, and its detail is still that of the one before. */
static void shows_no_detail_of_an_earlier_cycle(void **state)
{
	struct report *report;
	struct error error = { 0 };

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	assert_int_equal(prearm_refresh(&host.coordinator, NULL, NULL, &error), 0);
	virtual_time_pass(1000000);
	assert_int_equal(prearm_refresh(&host.coordinator, NULL, NULL, &error), 0);
	store_write_as(fake_guest_domid(laptop.netvm), PROTOCOL_NODE_DETAIL, "a card was lost");
	fake_agent_set_conduct(laptop.agent, AGENT_IS_DEAD);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(fake_host_reported(report, "netvm")->outcome, OUTCOME_PAUSED);
	assert_null(strstr(fake_host_reported(report, "netvm")->detail, "a card was lost"));
	report_free(report);
}

static void reports_devices_that_an_agent_has_lost(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_agent_set_conduct(laptop.agent, AGENT_LOSES_DEVICES);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_true(fake_host_reported(report, "netvm")->degraded);
	report_free(report);
}

/* ---- guests that do not suspend ------------------------------------------ */

struct refusal {
	enum guest_answer answer;
	enum cycle_outcome outcome;
};

static void pauses_guests_that_do_not_suspend(void **state)
{
	static const struct refusal cases[] = {
		{ ANSWER_NEVER, OUTCOME_PAUSED },     { ANSWER_ONLY_CLEARS, OUTCOME_PAUSED },
		{ ANSWER_NONSENSE, OUTCOME_PAUSED },  { ANSWER_REFUSES, OUTCOME_PAUSED },
		{ ANSWER_CLEARS, OUTCOME_SUSPENDED }, { ANSWER_REMOVES, OUTCOME_SUSPENDED },
		{ ANSWER_TWICE, OUTCOME_SUSPENDED },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_guest_params mail = { .name = "mail", .answer = cases[i].answer };
		bool is_paused = cases[i].outcome == OUTCOME_PAUSED;
		struct report *report;

		fake_laptop_build(&laptop, &mail);
		fake_host_open(&host);
		report = fake_host_cycle(&host);
		assert_result(report, is_paused ? RESULT_DEGRADED : RESULT_OK);
		assert_int_equal(fake_host_reported(report, "mail")->outcome, cases[i].outcome);
		assert_int_equal(host.n_ran_through, 0);
		assert_ordered(laptop.web, laptop.fw);
		assert_untouched(laptop.mail);
		assert_untouched(laptop.netvm);
		report_free(report);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

/* Within the 25 s for which the cycle waits. */
static void resumes_a_guest_that_suspends_late(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .suspend_us = 15000000 };
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(fake_guest_domain(laptop.mail)->n_suspended, 1);
	assert_untouched(laptop.mail);
	report_free(report);
}

/* Runs a cycle. Returns how long it took mail to be suspended or paused since its request. */
static int64_t measure_mail(void)
{
	struct report *report = fake_host_cycle(&host);
	const struct report_guest *mail = fake_host_reported(report, "mail");
	int64_t time_us = report_guest_suspend_us(mail);

	assert_int_equal(host.n_ran_through, 0);
	assert_true(mail->requested_us != MOMENT_NEVER);
	report_free(report);
	virtual_time_pass(5000000);
	return time_us;
}

static void assert_waits_long(void)
{
	assert_in_range(measure_mail(), 9900000, 10100000);
}

static void assert_waits_short(void)
{
	assert_in_range(measure_mail(), 1900000, 2100000);
}

/* MirageOS, OpenBSD. Each process is new, as that of the sleep's unit is. */
static void does_not_wait_long_for_a_guest_that_never_answers(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	for (int i = 0; i < 3; i++)
		assert_waits_long();
	for (int i = 0; i < 9; i++) {
		fake_host_close(&host);
		fake_host_open(&host);
		assert_waits_short();
	}
	/* One answer unlearns it. */
	fake_guest_set_answer(laptop.mail, ANSWER_CLEARS);
	assert_in_range(measure_mail(), 0, 100000);
	fake_guest_set_answer(laptop.mail, ANSWER_NEVER);
	for (int i = 0; i < 3; i++)
		assert_waits_long();
	assert_waits_short();
	/* Another kernel in the same domain may answer. */
	store_write_as(fake_guest_domid(laptop.mail), "control/feature-suspend", "");
	assert_waits_long();
}

/* It has answered: it is slow, and the next time it may be in time. */
static void waits_for_a_guest_that_only_acknowledges(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_ONLY_CLEARS };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	for (int i = 0; i < 5; i++)
		assert_waits_long();
}

static void ends_the_cycle_by_the_deadline(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	uint64_t begin_us;
	struct report *report;

	(void)state;
	host.config.deadline_us = 5000000;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	begin_us = virtual_time_now();
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(host.n_slept, 1);
	assert_int_equal(host.n_ran_through, 0);
	assert_in_range(report->phases[2].start_us + report->phases[2].duration_us, 5000000,
			5100000);
	assert_true(virtual_time_now() - begin_us < host.sleep_us + 60000000);
	assert_untouched(laptop.mail);
	assert_untouched(laptop.fw);
	report_free(report);
}

/* ---- newcomers ----------------------------------------------------------- */

static struct fake_guest *newcomer;
static uint64_t built_at_us;

static void build_newcomer(void *data)
{
	struct fake_guest *needed = data;

	newcomer = fake_host_add("newcomer");
	built_at_us = virtual_time_now();
	if (needed)
		fake_guest_add_device(newcomer, fake_guest_domid(needed), "vif", 0);
}

/* Whenever it appears, it is suspended before what it needs, and named. */
static void takes_along_a_guest_that_appears(void **state)
{
	static const uint64_t moments_us[] = { 15000, 20000, 40000, 60000, 100000, 150000, 200000 };

	for (size_t i = 0; i < ELEMENTSOF(moments_us); i++) {
		struct report *report;

		fake_laptop_build(&laptop, NULL);
		fake_host_open(&host);
		newcomer = NULL;
		virtual_time_after(moments_us[i], build_newcomer, laptop.netvm);
		report = fake_host_cycle(&host);
		assert_non_null(newcomer);
		if (built_at_us < host.slept_at_us) {
			assert_int_equal(host.n_ran_through, 0);
			assert_int_equal(fake_host_reported(report, "newcomer")->outcome,
					 OUTCOME_SUSPENDED);
			assert_true(fake_guest_domain(laptop.netvm)->resumed_us <
				    fake_guest_domain(newcomer)->resumed_us);
		}
		assert_result(report, RESULT_DEGRADED);
		assert_true(fake_host_reported(report, "newcomer")->appeared);
		report_free(report);
		assert_runs(newcomer);
		stop(state);
		start(state);
	}
}

static void crash_newcomer(void *data)
{
	(void)data;
	domains_shut_down(fake_guest_domain(newcomer), REASON_CRASH);
}

static void names_a_newcomer_that_dies_again(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	virtual_time_after(20000, build_newcomer, laptop.netvm);
	virtual_time_after(40000, crash_newcomer, NULL);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_true(fake_host_reported(report, "newcomer")->appeared);
	assert_int_not_equal(fake_host_reported(report, "newcomer")->gone, GUEST_NOT_ENDED);
	report_free(report);
}

static void leaves_out_a_newcomer_that_is_ignored(void **state)
{
	static char pattern[] = "newcomer";
	static struct config_rule rule = {
		.pattern = pattern,
		.has_policy = true,
		.policy = POLICY_IGNORE,
	};
	struct report *report;

	(void)state;
	host.config.rules = &rule;
	host.config.n_rules = 1;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	virtual_time_after(20000, build_newcomer, NULL);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_int_equal(host.n_ran_through, 1);
	report_free(report);
	host.config.rules = NULL;
	host.config.n_rules = 0;
}

static void build_after_wake(struct fake_guest *guest, void *data)
{
	(void)guest;
	virtual_time_after(5000, build_newcomer, data);
}

static void names_a_newcomer_after_the_wake(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	fake_guest_on_resume(laptop.netvm, build_after_wake, NULL);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_true(fake_host_reported(report, "newcomer")->appeared);
	assert_int_equal(fake_host_reported(report, "newcomer")->outcome, OUTCOME_SKIPPED);
	report_free(report);
}

/* ---- death --------------------------------------------------------------- */

static enum domain_reason how;

static void shut_down(struct fake_guest *guest, void *data)
{
	(void)data;
	domains_shut_down(fake_guest_domain(guest), how);
}

static void shut_down_soon(struct fake_guest *guest, void *data)
{
	fake_guest_after(guest, 20000, shut_down, data);
}

static void tells_how_a_guest_has_ended(void **state)
{
	static const struct {
		enum domain_reason how;
		enum guest_end end;
	} cases[] = {
		{ REASON_CRASH, GUEST_CRASHED },
		{ REASON_POWEROFF, GUEST_POWERED_OFF },
		{ REASON_REBOOT, GUEST_REBOOTED },
		{ REASON_WATCHDOG, GUEST_CRASHED },
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report;

		how = cases[i].how;
		fake_laptop_build(&laptop, NULL);
		fake_guest_on_resume(laptop.vault, shut_down_soon, NULL);
		fake_host_open(&host);
		report = fake_host_cycle(&host);
		assert_result(report, RESULT_DEGRADED);
		assert_int_equal(fake_host_reported(report, "vault")->gone, cases[i].end);
		report_free(report);
		stop(state);
		start(state);
	}
}

static void destroy_vault(void *data)
{
	(void)data;
	toolstack_destroy(fake_guest_domid(laptop.vault));
}

static void names_a_guest_that_dies_before_the_sleep(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	virtual_time_after(150000, destroy_vault, NULL);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(fake_host_reported(report, "vault")->gone, GUEST_DESTROYED);
	report_free(report);
}

/* The wait for its agent, 30 s, ends at once. */
static void does_not_wait_for_the_agent_of_a_dead_guest(void **state)
{
	struct report *report;

	(void)state;
	how = REASON_CRASH;
	fake_laptop_build(&laptop, NULL);
	fake_guest_on_resume(laptop.netvm, shut_down, NULL);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(fake_host_reported(report, "netvm")->gone, GUEST_CRASHED);
	assert_true(virtual_time_now() < host.slept_at_us + host.sleep_us + 2000000);
	report_free(report);
}

/* ---- event storms -------------------------------------------------------- */

/* Its third port is the one that pmcoord allocates. */
static void storm_until(struct fake_guest *guest, uint64_t us)
{
	event_channels_storm(fake_guest_domid(guest), 3, virtual_time_now() + us);
}

static void keeps_the_deadline_in_an_event_storm(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	uint64_t begin_us;

	(void)state;
	host.config.deadline_us = 3000000;
	fake_laptop_build(&laptop, &mail);
	storm_until(laptop.mail, 12000000);
	fake_host_open(&host);
	begin_us = virtual_time_now();
	report_free(fake_host_cycle(&host));
	assert_true(host.slept_at_us - begin_us < 4000000);
}

/* Xen's own notification uses the port that is masked. */
static void notices_the_suspension_of_a_storming_guest(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .suspend_us = 400000 };
	struct report *report;
	uint64_t begin_us;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	storm_until(laptop.mail, 12000000);
	fake_host_open(&host);
	begin_us = virtual_time_now();
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_true(host.slept_at_us - begin_us < 1500000);
	report_free(report);
	assert_untouched(laptop.mail);
}

static void interrupt(void *data)
{
	(void)data;
	raise(SIGTERM);
}

static void obeys_a_signal_in_an_event_storm(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	storm_until(laptop.mail, 12000000);
	fake_host_open(&host);
	virtual_time_after(500000, interrupt, NULL);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_FAILED);
	assert_non_null(strstr(report->detail, "SIGTERM"));
	assert_int_equal(host.n_slept, 0);
	report_free(report);
}

static void write_again(void *data)
{
	static unsigned int n;
	char text[24];

	(void)data;
	snprintf(text, sizeof(text), "ready %u", n++);
	store_write_as(fake_guest_domid(laptop.mail), "data/pmcoord/state", text);
	if (virtual_time_now() < 20000000)
		virtual_time_after(20, write_again, NULL);
}

static void keeps_the_deadline_while_a_guest_writes_without_end(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	uint64_t begin_us;

	(void)state;
	host.config.deadline_us = 3000000;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	assert_int_equal(host.hypervisor->ops->watch_domains(host.hypervisor), 0);
	begin_us = virtual_time_now();
	virtual_time_after(1000, write_again, NULL);
	report_free(fake_host_cycle(&host));
	assert_true(host.slept_at_us - begin_us < 4000000);
}

static void aborts_when_told_to(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	struct report *report;

	(void)state;
	host.config.on_failure = ON_FAILURE_ABORT;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_FAILED);
	assert_int_equal(host.n_slept, 0);
	assert_untouched(laptop.web);
	assert_untouched(laptop.mail);
	report_free(report);
}

/* All guests of a batch are subscribed to before the first is asked. */
static void ends_the_subscriptions_of_an_aborted_batch(void **state)
{
	struct fake_guest *guests[3];
	char path[96];

	(void)state;
	for (size_t failing = 0; failing < ELEMENTSOF(guests); failing++) {
		host.config.on_failure = ON_FAILURE_ABORT;
		guests[0] = fake_host_add("first");
		guests[1] = fake_host_add("second");
		guests[2] = fake_host_add("third");
		snprintf(path, sizeof(path), "%s",
			 fake_guest_path(guests[failing], "control/shutdown"));
		faults_add("xs_write", path, ENOSPC, 0, 1);
		fake_host_open(&host);
		report_free(fake_host_cycle(&host));
		for (size_t i = 0; i < ELEMENTSOF(guests); i++)
			assert_untouched(guests[i]);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

static void resumes_all_when_the_kernel_refuses_to_sleep(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	host.refusal = "device hub busy";
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_FAILED);
	assert_non_null(strstr(report->detail, "device hub busy"));
	assert_untouched(laptop.netvm);
	assert_untouched(laptop.web);
	report_free(report);
}

/* ---- the node of requests ------------------------------------------------ */

/* Asserts that mail can acknowledge a request: the node is there, and it owns it. */
static void assert_node_is_good(void)
{
	const struct store_node *node =
		store_tree_find(store_tree(), fake_guest_path(laptop.mail, "control/shutdown"));

	assert_non_null(node);
	assert_int_equal(node->permissions[0].id, fake_guest_domid(laptop.mail));
	assert_string_equal(node->value, "");
}

static void run_ok_cycles(int n)
{
	for (int i = 0; i < n; i++) {
		struct report *report = fake_host_cycle(&host);

		assert_result(report, RESULT_OK);
		assert_int_equal(fake_host_reported(report, "mail")->outcome, OUTCOME_SUSPENDED);
		assert_int_equal(host.n_ran_through, 0);
		report_free(report);
		assert_untouched(laptop.mail);
		assert_node_is_good();
		virtual_time_pass(5000000);
	}
}

/* Windows PV drivers 8.x, NetBSD. */
static void suspends_a_guest_that_removes_its_node_each_time(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_REMOVES };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	run_ok_cycles(3);
	/* The same by a process that watches all domains, and by one that has just started. */
	assert_int_equal(host.hypervisor->ops->watch_domains(host.hypervisor), 0);
	run_ok_cycles(2);
	fake_host_close(&host);
	fake_host_open(&host);
	run_ok_cycles(1);
}

static void finds_a_node_that_an_earlier_program_left_wrong(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_REMOVES };

	(void)state;
	for (int is_missing = 0; is_missing < 2; is_missing++) {
		const char *path;

		fake_laptop_build(&laptop, &mail);
		path = fake_guest_path(laptop.mail, "control/shutdown");
		store_remove_as(0, path);
		if (!is_missing)
			store_write_as(0, path, "");
		fake_host_open(&host);
		run_ok_cycles(2);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

/* Its owner is not known to be right, so that what stands in it proves nothing. */
static void requests_whether_the_node_can_be_repaired_or_not(void **state)
{
	static const char *const functions[] = { "xs_set_permissions", "xs_mkdir",
						 "xs_get_permissions", "xs_watch" };
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_REMOVES };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(functions); i++) {
		char path[96];

		fake_laptop_build(&laptop, &mail);
		snprintf(path, sizeof(path), "%s",
			 fake_guest_path(laptop.mail, "control/shutdown"));
		store_remove_as(0, path);
		faults_add(functions[i], path, EIO, 0, 1000);
		fake_host_open(&host);
		for (int cycle = 0; cycle < 2; cycle++) {
			report_free(fake_host_cycle(&host));
			assert_int_equal(host.n_ran_through, 0);
			assert_int_equal(fake_guest_domain(laptop.mail)->n_suspended, cycle + 1);
			assert_untouched(laptop.mail);
		}
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

/* The request is sent when the guest that needs it is suspended. */
static void a_request_is_one_write(void **state)
{
	struct fake_guest *guest = fake_host_add("guest");
	struct domain_id id = fake_host_id(guest);
	struct inventory inventory;
	uint64_t before;

	(void)state;
	fake_host_open(&host);
	inventory = fake_host_inventory(&host);
	assert_int_equal(host.hypervisor->ops->prepare(host.hypervisor, &inventory.guests[0],
						       MECHANISM_XENSTORE),
			 PREPARED);
	before = store_client_count();
	assert_int_equal(host.hypervisor->ops->request(host.hypervisor, &id, MECHANISM_XENSTORE),
			 REQUESTED);
	assert_int_equal(store_client_count() - before, 1);
	inventory_done(&inventory);
}

/* ---- guests that another program suspends -------------------------------- */

static void assert_left_alone(const struct report *report, const char *name)
{
	const struct report_guest *guest = fake_host_reported(report, name);

	assert_result(report, RESULT_DEGRADED);
	assert_true(guest->taken_by_another);
	assert_non_null(strstr(guest->detail, "resume --force"));
}

/* A kernel that leaves the request in its node is like a save that the guest has obeyed. */
static void leaves_a_guest_alone_while_our_request_stands(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_LEAVES };
	char name[] = "mail", *names[] = { name };
	struct resume_result result = { 0 };
	struct error error = { 0 };
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_left_alone(report, "mail");
	report_free(report);
	assert_untouched(laptop.web);
	assert_true(fake_guest_domain(laptop.mail)->is_shut_down);
	assert_int_equal(fake_guest_domain(laptop.mail)->subscription, 0);
	assert_node_is_good();
	/* Nothing resumes it by itself. */
	assert_int_equal(coordinator_resume(&host.coordinator, names, 1, false, &result, &error),
			 0);
	assert_int_equal(result.n_resumed, 0);
	report_free(result.report);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(result.n_resumed, 0);
	report_free(result.report);
	assert_int_equal(coordinator_resume(&host.coordinator, names, 1, true, &result, &error), 0);
	assert_int_equal(result.n_resumed, 1);
	report_free(result.report);
	assert_untouched(laptop.mail);
}

/* What is recorded is not judged again: the request was taken out. */
static void leaves_a_guest_alone_after_a_crash(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_LEAVES };
	struct cycle_params params = { .trigger = "test" };
	struct resume_result result = { 0 };
	struct report *report = NULL;
	struct error error = { 0 };

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	assert_left_alone(report, "mail");
	report_free(report);
	fake_host_kill(&host);
	fake_host_open(&host);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(result.n_resumed, 4);
	report_free(result.report);
	assert_true(fake_guest_domain(laptop.mail)->is_shut_down);
	assert_untouched(laptop.web);
	assert_untouched(laptop.netvm);
}

static struct fake_save *begun_save;

static void begin_save(void *data)
{
	begun_save = toolstack_save(fake_guest_domid(data), 5000000, true);
}

/* mail is requested at once and takes its time; fw waits for it; netvm has an agent. */
static void keeps_the_image_of_a_save_that_meets_a_cycle(void **state)
{
	static const struct {
		struct fake_guest **guest;
		const char *name;
		uint64_t after_us;
	} cases[] = {
		{ &laptop.fw, "fw", 3000 },	   { &laptop.fw, "fw", 20000 },
		{ &laptop.fw, "fw", 80000 },	   { &laptop.mail, "mail", 60000 },
		{ &laptop.netvm, "netvm", 20000 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_guest_params mail = { .name = "mail", .suspend_us = 100000 };
		struct report *report;

		fake_laptop_build(&laptop, &mail);
		fake_host_open(&host);
		virtual_time_after(cases[i].after_us, begin_save, *cases[i].guest);
		report = fake_host_cycle(&host);
		assert_left_alone(report, cases[i].name);
		assert_int_equal(host.n_ran_through, 0);
		report_free(report);
		virtual_time_pass(120000000);
		if (!begun_save->is_finished || begun_save->is_broken || begun_save->has_failed)
			fail_msg("%s at %d us: %d %d %d", cases[i].name, (int)cases[i].after_us,
				 begun_save->is_finished, begun_save->is_broken,
				 begun_save->has_failed);
		assert_runs(*cases[i].guest);
		assert_untouched(laptop.web);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

/* Its kernel is on its way for the save when the agent has quiesced and asks it, too. */
static void leaves_a_guest_alone_whose_agent_came_too_late(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	virtual_time_after(145000, begin_save, laptop.netvm);
	report = fake_host_cycle(&host);
	assert_left_alone(report, "netvm");
	assert_true(fake_host_reported(report, "netvm")->quiesced_us != MOMENT_NEVER);
	assert_int_equal(host.n_ran_through, 0);
	report_free(report);
	virtual_time_pass(120000000);
	assert_false(begun_save->is_broken);
	assert_runs(laptop.netvm);
}

/* Its kernel has not come to the request yet, and the plan already knows of it. */
static void waits_for_a_guest_whose_save_has_begun(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .acknowledge_us = 500000 };
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	virtual_time_pass(1000000);
	fake_host_open(&host);
	begin_save(laptop.mail);
	report = fake_host_cycle(&host);
	assert_left_alone(report, "mail");
	assert_int_equal(host.n_ran_through, 0);
	assert_true(fake_guest_domain(laptop.mail)->suspended_us <
		    fake_guest_domain(laptop.fw)->suspended_us);
	report_free(report);
	virtual_time_pass(120000000);
	assert_true(begun_save->is_finished);
	assert_false(begun_save->is_broken);
	assert_false(begun_save->has_failed);
	assert_untouched(laptop.fw);
}

/* ---- others -------------------------------------------------------------- */

static void leaves_a_paused_guest_paused(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	toolstack_pause(fake_guest_domid(laptop.mail));
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_OK);
	assert_int_equal(fake_guest_domain(laptop.mail)->pauses, 1);
	assert_int_equal(fake_guest_domain(laptop.mail)->n_suspended, 0);
	report_free(report);
}

static void destroy_web(void *data)
{
	(void)data;
	toolstack_destroy(fake_guest_domid(laptop.web));
}

static void goes_on_when_a_guest_is_destroyed(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	virtual_time_after(20000, destroy_web, NULL);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_true(fake_host_reported(report, "web")->gone);
	assert_int_equal(host.n_slept, 1);
	assert_untouched(laptop.fw);
	report_free(report);
}

static void keeps_away_from_a_guest_that_is_being_saved(void **state)
{
	struct fake_save *save;
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	save = toolstack_save(fake_guest_domid(laptop.vault), 20000000, true);
	virtual_time_pass(2000000);
	assert_true(save->is_suspended);
	report = fake_host_cycle(&host);
	report_free(report);
	virtual_time_pass(60000000);
	assert_true(save->is_finished);
	assert_false(save->is_broken);
	assert_false(save->has_failed);
	assert_untouched(laptop.vault);
}

/* A subscription of ours would make it wait in vain. */
static void lets_a_save_work_after_a_cycle(void **state)
{
	struct fake_save *save;
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	report_free(report);
	save = toolstack_save(fake_guest_domid(laptop.web), 1000000, true);
	virtual_time_pass(10000000);
	assert_true(save->is_finished);
	assert_false(save->is_broken);
	assert_false(save->has_failed);
}

/* ---- xenstored ----------------------------------------------------------- */

static void touch_request(void *data)
{
	(void)data;
	store_write_as(0, fake_guest_path(laptop.mail, "control/shutdown"), "suspend");
}

static void retracts_again_after_a_conflict(void **state)
{
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, &mail);
	fake_host_open(&host);
	store_client_before_end(touch_request, NULL);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_untouched(laptop.mail);
	report_free(report);
}

/* The request would make the guest suspend whenever it comes to it, and nothing would expect it. */
static void retracts_after_the_resume_what_it_could_not_before(void **state)
{
	static const char *const functions[] = { "xs_transaction_start", "xs_transaction_end",
						 "xs_write" };
	struct fake_guest_params mail = { .name = "mail", .answer = ANSWER_NEVER };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(functions); i++) {
		struct report *report;
		uint64_t woken_us;

		fake_laptop_build(&laptop, &mail);
		fake_host_open(&host);
		/* The first write is the request. */
		faults_add(functions[i], i == 2 ? "control/shutdown" : NULL, EIO, i == 2 ? 3 : 0,
			   1);
		report = fake_host_cycle(&host);
		woken_us = host.slept_at_us + host.sleep_us;
		assert_result(report, RESULT_DEGRADED);
		assert_int_equal(host.n_ran_through, 0);
		assert_untouched(laptop.mail);
		/* It has not acknowledged the request, so that it cannot suspend late. */
		assert_true(virtual_time_now() - woken_us < 5000000);
		report_free(report);
		fake_host_stop(&host);
		fake_host_start(&host);
	}
}

static void goes_on_when_a_request_cannot_be_written(void **state)
{
	char path[96];
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	snprintf(path, sizeof(path), "%s", fake_guest_path(laptop.mail, "control/shutdown"));
	faults_add("xs_write", path, ENOSPC, 0, 1);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_int_equal(fake_host_reported(report, "mail")->outcome, OUTCOME_PAUSED);
	assert_non_null(strstr(fake_host_reported(report, "mail")->detail, "No space left"));
	assert_untouched(laptop.mail);
	report_free(report);
}

static void resumes_without_xenstored(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	faults_add("xs_resume_domain", NULL, EPIPE, 0, 100);
	report = fake_host_cycle(&host);
	assert_result(report, RESULT_DEGRADED);
	assert_untouched(laptop.netvm);
	assert_untouched(laptop.web);
	report_free(report);
}

/* ---- hypercalls that fail ------------------------------------------------ */

static void tries_a_failed_resume_again(void **state)
{
	struct report *report;

	(void)state;
	fake_laptop_build(&laptop, NULL);
	faults_add("xencall1", NULL, EAGAIN, 1, 1);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_untouched(laptop.netvm);
	assert_untouched(laptop.fw);
	assert_untouched(laptop.web);
	assert_untouched(laptop.mail);
	report_free(report);
}

static void names_a_guest_that_cannot_be_resumed(void **state)
{
	struct fake_domain *web;
	struct report *report;
	char domid[16];

	(void)state;
	fake_laptop_build(&laptop, NULL);
	web = fake_guest_domain(laptop.web);
	snprintf(domid, sizeof(domid), "%u", fake_guest_domid(laptop.web));
	faults_add("xencall1", domid, EPERM, 0, 2);
	fake_host_open(&host);
	report = fake_host_cycle(&host);
	assert_true(fake_host_reported(report, "web")->stranded);
	assert_true(web->is_shut_down);
	assert_untouched(laptop.mail);
	report_free(report);
	/* The next command resumes it. */
	report = fake_host_cycle(&host);
	assert_false(web->is_shut_down);
	report_free(report);
}

/* ---- crashes of pmcoord -------------------------------------------------- */

static void resumes_what_a_killed_process_has_suspended(void **state)
{
	struct cycle_params params = { .trigger = "test" };
	struct report *report = NULL;
	struct error error = { 0 };
	struct resume_result result = { 0 };

	(void)state;
	fake_laptop_build(&laptop, NULL);
	fake_host_open(&host);
	assert_int_equal(coordinator_suspend(&host.coordinator, &params, &report, &error), 0);
	report_free(report);
	assert_true(fake_guest_domain(laptop.netvm)->is_shut_down);
	fake_host_kill(&host);
	fake_host_open(&host);
	assert_int_equal(coordinator_resume(&host.coordinator, NULL, 0, false, &result, &error), 0);
	assert_int_equal(result.n_resumed, 5);
	report_free(result.report);
	assert_ordered(laptop.web, laptop.fw);
	assert_ordered(laptop.fw, laptop.netvm);
	assert_untouched(laptop.netvm);
	assert_untouched(laptop.web);
	assert_untouched(laptop.vault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
		T(suspends_dependents_first_and_resumes_in_reverse),
		T(takes_little_more_than_its_guests_need),
		T(suspends_all_guests_although_no_port_can_be_recorded),
		T(arms_agents_ahead_for_the_next_cycle),
		T(tells_xenstored_of_each_resume),
		T(leaks_no_port_over_many_cycles),
		T(requests_over_the_channel_of_a_kernel),
		T(forces_guests_without_drivers),
		T(resumes_each_guest_as_cancelled_when_a_read_fails),
		T(asks_an_hvm_guest_whose_drivers_have_arrived),
		T(writes_the_register_of_a_32_bit_guest),
		T(falls_back_when_an_agent_does_not_answer),
		T(falls_back_when_a_published_port_is_stale),
		T(names_a_driver_domain_whose_port_another_program_holds),
		T(names_a_driver_domain_that_is_not_quiesced),
		T(pauses_a_guest_whose_agent_fails),
		T(shows_no_detail_of_an_earlier_cycle),
		T(reports_devices_that_an_agent_has_lost),
		T(pauses_guests_that_do_not_suspend),
		T(resumes_a_guest_that_suspends_late),
		T(does_not_wait_long_for_a_guest_that_never_answers),
		T(waits_for_a_guest_that_only_acknowledges),
		T(ends_the_cycle_by_the_deadline),
		T(takes_along_a_guest_that_appears),
		T(names_a_newcomer_that_dies_again),
		T(leaves_out_a_newcomer_that_is_ignored),
		T(names_a_newcomer_after_the_wake),
		T(tells_how_a_guest_has_ended),
		T(names_a_guest_that_dies_before_the_sleep),
		T(does_not_wait_for_the_agent_of_a_dead_guest),
		T(keeps_the_deadline_in_an_event_storm),
		T(notices_the_suspension_of_a_storming_guest),
		T(obeys_a_signal_in_an_event_storm),
		T(keeps_the_deadline_while_a_guest_writes_without_end),
		T(aborts_when_told_to),
		T(ends_the_subscriptions_of_an_aborted_batch),
		T(resumes_all_when_the_kernel_refuses_to_sleep),
		T(suspends_a_guest_that_removes_its_node_each_time),
		T(finds_a_node_that_an_earlier_program_left_wrong),
		T(requests_whether_the_node_can_be_repaired_or_not),
		T(a_request_is_one_write),
		T(leaves_a_guest_alone_while_our_request_stands),
		T(leaves_a_guest_alone_after_a_crash),
		T(keeps_the_image_of_a_save_that_meets_a_cycle),
		T(leaves_a_guest_alone_whose_agent_came_too_late),
		T(waits_for_a_guest_whose_save_has_begun),
		T(leaves_a_paused_guest_paused),
		T(goes_on_when_a_guest_is_destroyed),
		T(keeps_away_from_a_guest_that_is_being_saved),
		T(lets_a_save_work_after_a_cycle),
		T(retracts_again_after_a_conflict),
		T(retracts_after_the_resume_what_it_could_not_before),
		T(goes_on_when_a_request_cannot_be_written),
		T(resumes_without_xenstored),
		T(tries_a_failed_resume_again),
		T(names_a_guest_that_cannot_be_resumed),
		T(resumes_what_a_killed_process_has_suspended),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
