/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <systemd/sd-event.h>

#include "daemon/deferred.h"

struct listener {
	sd_event *event;
	struct deferred *deferred;
	int told;
};

static void tell(void *data)
{
	struct listener *listener = data;

	listener->told++;
}

static int set_up(void **state)
{
	static struct listener listener;

	listener = (struct listener){ 0 };
	assert_true(sd_event_new(&listener.event) >= 0);
	assert_int_equal(deferred_new(listener.event, tell, &listener, &listener.deferred), 0);
	*state = &listener;
	return 0;
}

static int tear_down(void **state)
{
	struct listener *listener = *state;

	deferred_free(listener->deferred);
	sd_event_unref(listener->event);
	return 0;
}

/* Lets the loop run for so long after nothing happens any more. */
static void run(struct listener *listener, uint64_t quiet_us)
{
	while (sd_event_run(listener->event, quiet_us) > 0)
		;
}

static void test_is_told_late_and_once_for_all(void **state)
{
	struct listener *listener = *state;
	uint64_t before, after;

	sd_event_now(listener->event, CLOCK_MONOTONIC, &before);
	for (int i = 0; i < 10; i++)
		deferred_schedule(listener->deferred);
	assert_int_equal(listener->told, 0);
	run(listener, 2 * DEFERRED_US);
	assert_int_equal(listener->told, 1);
	sd_event_now(listener->event, CLOCK_MONOTONIC, &after);
	assert_true(after - before >= DEFERRED_US);
}

static void test_is_told_again_when_there_is_more(void **state)
{
	struct listener *listener = *state;

	for (int i = 1; i <= 2; i++) {
		deferred_schedule(listener->deferred);
		run(listener, 2 * DEFERRED_US);
		assert_int_equal(listener->told, i);
	}
}

static void test_who_is_gone_is_told_nothing(void **state)
{
	struct listener *listener = *state;

	deferred_schedule(listener->deferred);
	deferred_free(listener->deferred);
	listener->deferred = NULL;
	run(listener, 2 * DEFERRED_US);
	assert_int_equal(listener->told, 0);
	deferred_schedule(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_is_told_late_and_once_for_all, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_is_told_again_when_there_is_more, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_who_is_gone_is_told_nothing, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("leisure", tests, NULL, NULL);
}
