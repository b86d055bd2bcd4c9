/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

#include "host/deferred.h"

struct world {
	sd_event *event;
	struct deferred *deferred;
	int calls;
};

static void count_call(void *data)
{
	struct world *world = data;

	world->calls++;
}

static int set_up(void **state)
{
	static struct world world;

	world = (struct world){ 0 };
	assert_true(sd_event_new(&world.event) >= 0);
	assert_int_equal(deferred_new(world.event, count_call, &world, &world.deferred), 0);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	deferred_free(world->deferred);
	sd_event_unref(world->event);
	return 0;
}

/* Runs the loop until no event has arrived for quiet_us. */
static void run(struct world *world, uint64_t quiet_us)
{
	while (sd_event_run(world->event, quiet_us) > 0)
		;
}

static void calls_nothing_that_was_not_scheduled(void **state)
{
	struct world *world = *state;

	run(world, 2 * DEFERRED_US);
	assert_int_equal(world->calls, 0);
}

static void coalesces_calls_after_a_delay(void **state)
{
	struct world *world = *state;
	uint64_t before, after;

	sd_event_now(world->event, CLOCK_MONOTONIC, &before);
	for (int i = 0; i < 10; i++)
		deferred_schedule(world->deferred);
	assert_int_equal(world->calls, 0);
	run(world, 2 * DEFERRED_US);
	assert_int_equal(world->calls, 1);
	sd_event_now(world->event, CLOCK_MONOTONIC, &after);
	assert_true(after - before >= DEFERRED_US);
}

/* Whoever schedules again and again does not put off the call. */
static void is_not_put_off(void **state)
{
	struct world *world = *state;
	uint64_t begin, now;

	sd_event_now(world->event, CLOCK_MONOTONIC, &begin);
	do {
		deferred_schedule(world->deferred);
		sd_event_run(world->event, DEFERRED_US / 10);
		sd_event_now(world->event, CLOCK_MONOTONIC, &now);
	} while (world->calls == 0 && now - begin < 20 * DEFERRED_US);
	assert_int_equal(world->calls, 1);
}

static void calls_again_after_another_schedule(void **state)
{
	struct world *world = *state;

	for (int i = 1; i <= 2; i++) {
		deferred_schedule(world->deferred);
		run(world, 2 * DEFERRED_US);
		assert_int_equal(world->calls, i);
	}
}

static void freeing_cancels_a_scheduled_call(void **state)
{
	struct world *world = *state;

	deferred_schedule(world->deferred);
	deferred_free(world->deferred);
	world->deferred = NULL;
	run(world, 2 * DEFERRED_US);
	assert_int_equal(world->calls, 0);
	deferred_schedule(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls_nothing_that_was_not_scheduled, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(coalesces_calls_after_a_delay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_not_put_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls_again_after_another_schedule, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(freeing_cancels_a_scheduled_call, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("deferred", tests, NULL, NULL);
}
