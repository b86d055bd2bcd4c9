/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "model/cycle.h"
#include "record/statistics-json.h"
#include "record/statistics.h"

static const struct {
	int64_t values[7];
	size_t n;
	struct summary expected;
} cases[] = {
	{ { 5 }, 1, { 5, 5, 5, 5 } },
	{ { 9, 1 }, 2, { 5, 1, 5, 9 } },
	{ { 30, 10, 20 }, 3, { 20, 10, 20, 30 } },
	{ { 7, 1, 100, 3 }, 4, { 27, 1, 5, 100 } },
	{ { 4, CYCLE_NEVER, 2 }, 3, { 3, 2, 3, 4 } },
	{ { 0, 0, 0, 0, 0, 0, 7 }, 7, { 1, 0, 0, 7 } },
};

static void summarizes_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct samples samples = { 0 };
		struct summary summary;

		for (size_t j = 0; j < cases[i].n; j++)
			assert_int_equal(samples_add(&samples, cases[i].values[j]), 0);
		summary = samples_summarize(&samples);
		assert_memory_equal(&summary, &cases[i].expected, sizeof(summary));
		samples_done(&samples);
		assert_int_equal(samples.n_values, 0);
	}
}

static void without_samples_cells_are_empty_and_json_is_null(void **state)
{
	struct json_object *object = json_object_new_object(), *member;
	struct samples samples = { 0 };
	struct summary_cells cells;
	int status = 0;

	(void)state;
	assert_int_equal(samples_add(&samples, CYCLE_NEVER), 0);
	assert_int_equal(samples_summarize(&samples).median_us, CYCLE_NEVER);
	cells = samples_cells(&samples);
	assert_string_equal(cells.avg, "");
	assert_string_equal(cells.max, "");
	samples_add_json(&samples, object, "down_us", &status);
	assert_int_equal(status, 0);
	assert_true(json_object_object_get_ex(object, "down_us", &member));
	assert_null(member);
	json_object_put(object);
	samples_done(&samples);
}

static void json_has_avg_min_median_max(void **state)
{
	struct json_object *object = json_object_new_object();
	struct samples samples = { 0 }, more = { 0 };
	int status = 0;

	(void)state;
	assert_int_equal(samples_add(&samples, 4000), 0);
	assert_int_equal(samples_add(&more, 1000), 0);
	assert_int_equal(samples_add(&more, 1600), 0);
	assert_int_equal(samples_merge(&samples, &more), 0);
	samples_add_json(&samples, object, "down_us", &status);
	assert_int_equal(status, 0);
	assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
			    "{\"down_us\":{\"avg\":2200,\"min\":1000,"
			    "\"median\":1600,\"max\":4000}}");
	assert_string_equal(samples_cells(&samples).avg, "2.2");
	assert_string_equal(samples_cells(&samples).min, "1.0");
	assert_string_equal(samples_cells(&samples).median, "1.6");
	assert_string_equal(samples_cells(&samples).max, "4.0");
	json_object_put(object);
	samples_done(&samples);
	samples_done(&more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(summarizes_samples),
		cmocka_unit_test(without_samples_cells_are_empty_and_json_is_null),
		cmocka_unit_test(json_has_avg_min_median_max),
	};

	return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
