/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "pmcoord/clock.h"

/* Longer than any pause between two readings. */
#define SLACK_US 60000000

static uint64_t in_us(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_nsec / 1000;
}

static void returns_the_kernels_clocks(void **state)
{
	struct timespec before, after;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &before);
	assert_in_range(clock_us(CLOCK_REALTIME), in_us(&before), in_us(&before) + SLACK_US);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_in_range(clock_now_us(), in_us(&before), in_us(&before) + SLACK_US);
	clock_gettime(CLOCK_BOOTTIME, &before);
	assert_in_range(clock_boottime_us(), in_us(&before), in_us(&before) + SLACK_US);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(in_us(&after) <= in_us(&before) + SLACK_US);
}

static void suspended_time_is_boottime_minus_monotonic(void **state)
{
	uint64_t monotonic_us, suspended_us, difference_us;

	(void)state;
	/* In this order: on a host that has never slept both clocks are equal. */
	monotonic_us = clock_us(CLOCK_MONOTONIC);
	difference_us = clock_us(CLOCK_BOOTTIME) - monotonic_us;
	suspended_us = clock_suspended_us();
	/* A host that has never slept has none. */
	assert_true(suspended_us <= difference_us + SLACK_US);
	assert_true(suspended_us + SLACK_US >= difference_us);
	assert_true(suspended_us <= clock_boottime_us());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_the_kernels_clocks),
		cmocka_unit_test(suspended_time_is_boottime_minus_monotonic),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
