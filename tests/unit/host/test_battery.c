/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "host/battery.h"
#include "record/report.h"
#include "engine/suspend.h"
#include "tests/unit/simulated_host.h"

/* Writes a power supply with these attributes, each "name=value". */
static void put_supply(const char *sys, const char *name, const char *const *attributes)
{
	char path[256];

	snprintf(path, sizeof(path),
		 "mkdir -p %s/class/power_supply/%s && "
		 "rm -rf %s/class/power_supply/%s/*",
		 sys, name, sys, name);
	assert_int_equal(system(path), 0);
	for (; *attributes; attributes++) {
		int length = (int)strcspn(*attributes, "=");
		FILE *file;

		snprintf(path, sizeof(path), "%s/class/power_supply/%s/%.*s", sys, name, length,
			 *attributes);
		file = fopen(path, "w");
		assert_non_null(file);
		fprintf(file, "%s\n", *attributes + length + 1);
		assert_int_equal(fclose(file), 0);
	}
}

#define SUPPLY(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int set_up(void **state)
{
	struct host *host = malloc(sizeof(*host));

	host_init_laptop(host, "Behaviour=ignores-requests\n");
	*state = host;
	return 0;
}

static int tear_down(void **state)
{
	host_done(*state);
	free(*state);
	return 0;
}

static void is_low_without_mains_and_charge(void **state)
{
	const struct {
		const char *const *first, *const *second;
		bool is_low;
	} cases[] = {
		{ SUPPLY("type=Battery", "status=Discharging", "capacity=5"),
		  SUPPLY("type=Mains", "online=0"), true },
		{ SUPPLY("type=Battery", "status=Discharging", "capacity=6"),
		  SUPPLY("type=Mains", "online=0"), false },
		{ SUPPLY("type=Battery", "status=Discharging", "capacity=3"),
		  SUPPLY("type=Mains", "online=1"), false },
		{ SUPPLY("type=Battery", "status=Discharging", "capacity=3"),
		  SUPPLY("type=USB", "online=1"), false },
		{ SUPPLY("type=Battery", "status=Charging", "capacity=3"),
		  SUPPLY("type=Mains", "online=0"), false },
		/* Two batteries, one of which is not empty. */
		{ SUPPLY("type=Battery", "status=Discharging", "capacity=2"),
		  SUPPLY("type=Battery", "status=Unknown", "capacity=80"), false },
		{ SUPPLY("type=Battery", "status=Unknown", "capacity=1"),
		  SUPPLY("type=Battery", "status=Discharging", "capacity=4"), true },
		{ SUPPLY("type=Battery", "status=Unknown", "capacity=80"),
		  SUPPLY("type=Battery", "status=Discharging", "capacity=2"), false },
		/* The battery of a mouse. */
		{ SUPPLY("type=Battery", "scope=Device", "status=Discharging", "capacity=1"),
		  SUPPLY("type=Mains", "online=0"), false },
		{ SUPPLY("type=Battery", "scope=Device", "status=Discharging", "capacity=90"),
		  SUPPLY("type=Battery", "scope=System", "status=Discharging", "capacity=4"),
		  true },
		/* Unreadable attributes are ignored. */
		{ SUPPLY("type=Battery", "status=Discharging", "capacity=low"),
		  SUPPLY("type=Battery", "status=Discharging"), false },
		/* A battery that says only how it is, or whose charge is wrong. */
		{ SUPPLY("type=Battery", "status=Discharging", "capacity_level=Critical"),
		  SUPPLY("type=Mains", "online=0"), true },
		{ SUPPLY("type=Battery", "status=Discharging", "capacity_level=Critical",
			 "capacity=12"),
		  SUPPLY("type=Mains", "online=0"), true },
		{ SUPPLY("type=Battery", "status=Discharging", "capacity_level=Low", "capacity=12"),
		  SUPPLY("type=Mains", "online=0"), false },
		/* A peripheral with a supply of its own. */
		{ SUPPLY("type=Battery", "status=Discharging", "capacity=3"),
		  SUPPLY("type=USB", "scope=Device", "online=1"), true },
		{ SUPPLY("type=UPS", "status=Discharging", "capacity=1"), SUPPLY("online=1"),
		  false },
	};
	struct host *host = *state;

	assert_false(battery_is_low(host->directory, 5));
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		put_supply(host->directory, "BAT0", cases[i].first);
		put_supply(host->directory, "other", cases[i].second);
		if (battery_is_low(host->directory, 5) != cases[i].is_low)
			fail_msg("case %zu", i);
	}
}

/* A port that charges a telephone is online, too. */
static void a_port_that_gives_power_is_no_mains(void **state)
{
	static const struct {
		const char *roles[2];
		bool is_low;
	} cases[] = {
		{ { "[source] sink", NULL }, true },
		{ { "source [sink]", NULL }, false },
		{ { "sink", NULL }, false },
		{ { "source", NULL }, true },
		{ { "[source] sink", "source [sink]" }, false },
		{ { "[source] sink", "[source] sink" }, true },
	};
	struct host *host = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		put_supply(host->directory, "BAT0",
			   SUPPLY("type=Battery", "status=Discharging", "capacity=3"));
		put_supply(host->directory, "usb", SUPPLY("type=USB", "online=1"));
		for (int j = 0; j < 2 && cases[i].roles[j]; j++) {
			char command[256];

			snprintf(
				command, sizeof(command),
				"cd %s/class/power_supply/usb && mkdir -p device/typec/port%d device/typec/port%d-partner && echo '%s' > device/typec/port%d/power_role",
				host->directory, j, j, cases[i].roles[j], j);
			assert_int_equal(system(command), 0);
		}
		if (battery_is_low(host->directory, 5) != cases[i].is_low)
			fail_msg("case %zu", i);
	}
}

static void the_limit_is_configured(void **state)
{
	struct host *host = *state;

	put_supply(host->directory, "BAT0",
		   SUPPLY("type=Battery", "status=Discharging", "capacity=12"));
	assert_false(battery_is_low(host->directory, 11));
	assert_true(battery_is_low(host->directory, 12));
	assert_int_equal(battery_percent(host->directory), 12);
	put_supply(host->directory, "BAT1", SUPPLY("type=Battery", "capacity=80"));
	assert_int_equal(battery_percent(host->directory), 46);
	assert_false(battery_is_low(host->directory, 12));
}

static struct report *run_cycle(struct host *host, bool sleeps)
{
	struct cycle_params params = {
		.trigger = "test",
		.sleeper = sleeps ? host->sleeper : NULL,
		.resumes_at_once = true,
	};
	struct report *report = NULL;
	struct error error = { 0 };

	if (coordinator_suspend(&host->coordinator, &params, &report, &error) < 0)
		fail_msg("%s", error_text(&error));
	return report;
}

static void empty_battery(struct host *host)
{
	put_supply(host->directory, "BAT0",
		   SUPPLY("type=Battery", "status=Discharging", "capacity=3"));
}

static void low_battery_is_not_vetoed_by_a_guest(void **state)
{
	struct host *host = *state;
	struct report *report;
	char blame[256];

	host->config.on_failure = ON_FAILURE_ABORT;
	empty_battery(host);
	report = run_cycle(host, true);
	assert_string_equal(cycle_result_name(report->result), "degraded");
	assert_string_equal(report->detail,
			    "low battery: settings that keep the host awake were ignored");
	assert_true(report->slept_us >= 0);
	/* The guest that failed is named all the same. */
	report_explain(report, blame, sizeof(blame));
	assert_non_null(strstr(blame, "mail was paused"));
	assert_all_running(host);
	assert_no_journal(host);
	report_free(report);
	/* A cycle without sleep can be vetoed; the configuration is unchanged. */
	report = run_cycle(host, false);
	assert_string_equal(cycle_result_name(report->result), "failed");
	assert_int_equal(host->config.on_failure, ON_FAILURE_ABORT);
	report_free(report);
}

static void low_battery_is_not_vetoed_by_the_deadline(void **state)
{
	struct host *host = *state;
	struct report *report;

	host->config.on_deadline = ON_FAILURE_ABORT;
	host->config.deadline_us = 1000000;
	empty_battery(host);
	report = run_cycle(host, true);
	assert_string_equal(cycle_result_name(report->result), "degraded");
	assert_true(report->slept_us >= 0);
	assert_all_running(host);
	report_free(report);
}

static void low_battery_is_not_vetoed_by_a_guest_section(void **state)
{
	struct host *host = *state;
	struct config_rule rule = {
		.pattern = (char *)"mail",
		.has_on_failure = true,
		.on_failure = ON_FAILURE_ABORT,
	};
	struct report *report;

	host->config.rules = &rule;
	host->config.n_rules = 1;
	empty_battery(host);
	report = run_cycle(host, true);
	host->config.rules = NULL;
	host->config.n_rules = 0;
	assert_string_equal(cycle_result_name(report->result), "degraded");
	report_free(report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_low_without_mains_and_charge),
		TEST(a_port_that_gives_power_is_no_mains),
		TEST(the_limit_is_configured),
		TEST(low_battery_is_not_vetoed_by_a_guest),
		TEST(low_battery_is_not_vetoed_by_the_deadline),
		TEST(low_battery_is_not_vetoed_by_a_guest_section),
	};

	return cmocka_run_group_tests_name("battery", tests, NULL, NULL);
}
