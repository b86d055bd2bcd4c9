/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "model/cycle.h"
#include "record/report-json.h"
#include "record/report.h"
#include "record/series.h"
#include "record/statistics.h"

/* A guest of a report: name, mechanism, outcome, and its five moments. */
#define GUEST(name, mechanism, outcome, requested, down, resume, running, ready)                   \
	"{\"name\":\"" name "\",\"mechanism\":\"" mechanism "\",\"outcome\":\"" outcome            \
	"\",\"requested_us\":" #requested ",\"down_us\":" #down ",\"resume_us\":" #resume          \
	",\"running_us\":" #running ",\"ready_us\":" #ready "}"

#define REPORT(result, guests)                                                                     \
	"{\"cycle\":1,\"result\":\"" result "\",\"phases\":[{\"name\":"                            \
	"\"resume\",\"start_us\":5000}],\"guests\":[" guests "]}"

static void add(struct series *series, const char *text, const char *name)
{
	struct report *report;

	assert_int_equal(report_parse(text, &report), 0);
	assert_int_equal(series_add(series, report, name), 0);
	report_free(report);
}

static const char two_guests[] =
	REPORT("ok", GUEST("web", "xenstore", "suspended", 100, 300, 5400, 5600, null) "," GUEST(
			     "net", "agent", "suspended", 300, 900, 5010, 5110, 9000));

static void keeps_times_of_each_guest_and_of_all(void **state)
{
	struct series series = { 0 };

	(void)state;
	add(&series, two_guests, NULL);
	add(&series, two_guests, NULL);
	assert_int_equal(series.n_cycles, 2);
	assert_int_equal(series.results[RESULT_OK], 2);
	assert_int_equal(series.n_guests, 2);
	assert_string_equal(series.guests[0].name, "web");
	assert_int_equal(series.guests[0].outcomes[OUTCOME_SUSPENDED], 2);
	assert_int_equal(samples_summarize(&series.guests[0].suspend).max_us, 200);
	assert_int_equal(samples_summarize(&series.guests[0].resume).avg_us, 200);
	assert_int_equal(samples_summarize(&series.guests[0].running).avg_us, 600);
	assert_int_equal(series.guests[0].ready.n_values, 0);
	assert_int_equal(samples_summarize(&series.guests[1].ready).min_us, 4000);
	assert_int_equal(samples_summarize(&series.suspend_all).median_us, 800);
	assert_int_equal(samples_summarize(&series.resume_all).median_us, 600);
	series_done(&series);
}

static void of_a_guest_that_was_not_suspended_no_time_counts(void **state)
{
	struct series series = { 0 };

	(void)state;
	add(&series,
	    REPORT("degraded",
		   GUEST("web", "xenstore", "paused", 100, 900, 5400, 5600,
			 null) "," GUEST("net", "none", "skipped", null, null, null, null, null)),
	    NULL);
	assert_int_equal(series.results[RESULT_DEGRADED], 1);
	/* One that nothing was done to does not appear. */
	assert_int_equal(series.n_guests, 1);
	assert_int_equal(series.guests[0].outcomes[OUTCOME_PAUSED], 1);
	assert_int_equal(series.guests[0].suspend.n_values, 0);
	assert_int_equal(series.suspend_all.n_values, 0);
	assert_int_equal(series.resume_all.n_values, 1);
	series_done(&series);
}

static void a_fallback_to_another_mechanism_is_a_line_of_its_own(void **state)
{
	struct series series = { 0 };

	(void)state;
	add(&series, REPORT("ok", GUEST("net", "agent", "suspended", 0, 10, 5000, 5001, null)),
	    NULL);
	add(&series,
	    REPORT("degraded", GUEST("net", "xenstore", "suspended", 0, 90, 5000, 5001, null)),
	    NULL);
	assert_int_equal(series.n_guests, 2);
	assert_int_equal(samples_summarize(&series.guests[0].suspend).max_us, 10);
	assert_int_equal(samples_summarize(&series.guests[1].suspend).max_us, 90);
	series_done(&series);
}

static void adds_the_named_guest_only(void **state)
{
	struct series series = { 0 };

	(void)state;
	add(&series, two_guests, "net");
	assert_int_equal(series.n_guests, 1);
	assert_string_equal(series.guests[0].name, "net");
	series_done(&series);
}

static void a_report_without_guests_adds_no_times(void **state)
{
	struct series series = { 0 };

	(void)state;
	add(&series, REPORT("failed", ""), NULL);
	assert_int_equal(series.results[RESULT_FAILED], 1);
	assert_int_equal(series.suspend_all.n_values, 0);
	series_done(&series);
}

static void all_guests_count_in_any_order(void **state)
{
	static const struct {
		const char *guests;
		int64_t suspend_us, resume_us;
	} cases[] = {
		/* The last of the plan may be the first that is requested, and the first that runs.
		 */
		{ GUEST("a", "agent", "suspended", 300, 900, 5010, 5110,
			9000) "," GUEST("b", "xenstore", "suspended", 100, 300, 5400, 5600, null),
		  800, 600 },
		{ GUEST("a", "xenstore", "suspended", 100, 900, 5010, 5600,
			null) "," GUEST("b", "xenstore", "suspended", 200, 300, 5400, 5500, null),
		  800, 600 },
		/* One that nothing was done to counts for nothing. */
		{ GUEST("a", "none", "skipped", null, null, null, null,
			null) "," GUEST("b", "xenstore", "suspended", 100, 300, 5400, 5600, null),
		  200, 600 },
		/* The total of what is not complete is unknown. */
		{ GUEST("a", "xenstore", "failed", 100, null, null, 5500,
			null) "," GUEST("b", "xenstore", "suspended", 100, 300, 5400, 5600, null),
		  CYCLE_NEVER, 600 },
		{ GUEST("a", "xenstore", "suspended", 100, 300, 5400, 5600,
			null) "," GUEST("b", "xenstore", "suspended", 100, 300, null, null, null),
		  200, CYCLE_NEVER },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct report *report;
		char text[1024];

		snprintf(text, sizeof(text),
			 "{\"cycle\":1,\"result\":\"ok\",\"phases\":[{\"name\":\"resume\","
			 "\"start_us\":5000}],\"guests\":[%s]}",
			 cases[i].guests);
		assert_int_equal(report_parse(text, &report), 0);
		assert_int_equal(series_suspend_us(report), cases[i].suspend_us);
		assert_int_equal(series_resume_us(report), cases[i].resume_us);
		report_free(report);
	}
}

static void results_of_all_cycles_are_counted(void **state)
{
	struct series series = { 0 };

	(void)state;
	add(&series, two_guests, NULL);
	add(&series, REPORT("failed", ""), NULL);
	add(&series, REPORT("degraded", ""), NULL);
	add(&series, REPORT("failed", ""), NULL);
	assert_int_equal(series.n_cycles, 4);
	assert_int_equal(series.results[RESULT_OK], 1);
	assert_int_equal(series.results[RESULT_DEGRADED], 1);
	assert_int_equal(series.results[RESULT_FAILED], 2);
	series_done(&series);
	assert_int_equal(series.n_cycles, 0);
	series_done(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_times_of_each_guest_and_of_all),
		cmocka_unit_test(of_a_guest_that_was_not_suspended_no_time_counts),
		cmocka_unit_test(a_fallback_to_another_mechanism_is_a_line_of_its_own),
		cmocka_unit_test(adds_the_named_guest_only),
		cmocka_unit_test(a_report_without_guests_adds_no_times),
		cmocka_unit_test(all_guests_count_in_any_order),
		cmocka_unit_test(results_of_all_cycles_are_counted),
	};

	return cmocka_run_group_tests_name("series", tests, NULL, NULL);
}
