/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "model/loop.h"
#include "model/sleeper.h"
#include "host/sleeper-alarm.h"
#include "tests/unit/tree.h"

/* A /sys, and a sleep that only reads the alarm. */
struct world {
	char sys[64];
	char alarm[128];
	struct sleeper inner;
	char seen[32]; /* the alarm during the sleep */
	int prepared, finished, freed;
	int refusal; /* result of the sleep: 0 or negative errno */
};

static struct world *world_of(struct sleeper *sleeper)
{
	return (struct world *)((char *)sleeper - offsetof(struct world, inner));
}

static void read_alarm(const struct world *world, char *ret, int size)
{
	FILE *file = fopen(world->alarm, "r");

	assert_non_null(file);
	ret[0] = '\0';
	(void)!fgets(ret, size, file);
	fclose(file);
}

static void write_alarm(const struct world *world, const char *text)
{
	FILE *file = fopen(world->alarm, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void inner_free(struct sleeper *sleeper)
{
	world_of(sleeper)->freed++;
}

static int inner_prepare(struct sleeper *sleeper, struct error *error)
{
	(void)error;
	world_of(sleeper)->prepared++;
	return 0;
}

static int inner_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
		       struct error *error)
{
	struct world *world = world_of(sleeper);

	(void)loop;
	read_alarm(world, world->seen, sizeof(world->seen));
	if (world->refusal)
		return error_set(error, world->refusal, "refused");
	/* The alarm has expired. */
	write_alarm(world, "");
	*ret_slept_us = 7;
	snprintf(sleeper->state, sizeof(sleeper->state), "%s", SLEEP_STATE_S3);
	return 0;
}

static void inner_finish(struct sleeper *sleeper)
{
	world_of(sleeper)->finished++;
}

static const struct sleeper_ops inner_ops = {
	.free = inner_free,
	.prepare = inner_prepare,
	.enter = inner_enter,
	.finish = inner_finish,
};

static struct sleeper *open_world(struct world *world)
{
	struct sleeper *sleeper;
	char directory[128];

	*world = (struct world){ .inner.ops = &inner_ops };
	strcpy(world->sys, "/tmp/pmcoord-sys-XXXXXX");
	assert_non_null(mkdtemp(world->sys));
	snprintf(directory, sizeof(directory), "%s/class", world->sys);
	assert_int_equal(mkdir(directory, 0700), 0);
	strcat(directory, "/rtc");
	assert_int_equal(mkdir(directory, 0700), 0);
	strcat(directory, "/rtc0");
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_in_range(snprintf(world->alarm, sizeof(world->alarm), "%s/wakealarm", directory), 1,
			sizeof(world->alarm) - 1);
	write_alarm(world, "");
	assert_int_equal(sleeper_alarm_around(&world->inner, world->sys, &sleeper), 0);
	return sleeper;
}

static void close_world(struct world *world, struct sleeper *sleeper)
{

	sleeper_free(sleeper);
	assert_int_equal(world->freed, 1);
	assert_int_equal(tree_remove_all(world->sys), 0);
}

static void sets_the_alarm_right_before_the_sleep(void **state)
{
	struct world world;
	struct sleeper *sleeper = open_world(&world);
	struct error error = { 0 };
	uint64_t slept_us;
	char text[32];

	(void)state;
	assert_int_equal(sleeper->ops->prepare(sleeper, &error), 0);
	assert_int_equal(world.prepared, 1);
	read_alarm(&world, text, sizeof(text));
	assert_string_equal(text, "");
	assert_int_equal(sleeper->ops->enter(sleeper, NULL, &slept_us, &error), 0);
	assert_string_equal(world.seen, "+10");
	assert_int_equal(slept_us, 7);
	sleeper->ops->finish(sleeper);
	assert_int_equal(world.finished, 1);
	close_world(&world, sleeper);
}

static void clears_the_alarm_when_the_host_did_not_sleep(void **state)
{
	struct world world;
	struct sleeper *sleeper = open_world(&world);
	struct error error = { 0 };
	uint64_t slept_us;
	char text[32];

	(void)state;
	world.refusal = -EBUSY;
	assert_int_equal(sleeper->ops->prepare(sleeper, &error), 0);
	assert_int_equal(sleeper->ops->enter(sleeper, NULL, &slept_us, &error), -EBUSY);
	sleeper->ops->finish(sleeper);
	read_alarm(&world, text, sizeof(text));
	/* "0" written over "+10": unlike sysfs, a file keeps the other bytes. */
	assert_int_equal(text[0], '0');
	close_world(&world, sleeper);
}

/* Returns the size of files that may be written, and sets it. */
static rlim_t limit_files(rlim_t size)
{
	struct rlimit limit;
	rlim_t before;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	return before;
}

static void does_not_sleep_without_its_alarm(void **state)
{
	struct world world;
	struct sleeper *sleeper = open_world(&world);
	struct error error = { 0 };
	char expected[512];
	uint64_t slept_us;
	rlim_t before;
	int r;

	(void)state;
	assert_int_equal(sleeper->ops->prepare(sleeper, &error), 0);
	before = limit_files(0);
	r = sleeper->ops->enter(sleeper, NULL, &slept_us, &error);
	/* It cannot be cleared either, and the inner sleep is ended all the same. */
	sleeper->ops->finish(sleeper);
	limit_files(before);
	assert_int_equal(r, -ECANCELED);
	snprintf(expected, sizeof(expected),
		 "the host did not sleep, because the alarm of its real-time clock cannot be set "
		 "(%s: File too large)",
		 world.alarm);
	assert_string_equal(error_text(&error), expected);
	assert_string_equal(world.seen, "");
	assert_int_equal(world.finished, 1);
	close_world(&world, sleeper);
}

static void an_alarm_that_cannot_be_read_is_an_error(void **state)
{
	struct world world;
	struct sleeper *sleeper = open_world(&world);
	struct error error = { 0 };

	(void)state;
	assert_int_equal(unlink(world.alarm), 0);
	/* Opens for reading and writing, and fails to be read at its begin. */
	assert_int_equal(symlink("/proc/self/mem", world.alarm), 0);
	assert_int_equal(sleeper->ops->prepare(sleeper, &error), -EIO);
	assert_int_equal(strncmp(error_text(&error), "cannot read ", 12), 0);
	assert_int_equal(world.prepared, 0);
	close_world(&world, sleeper);
}

/* A kernel shows no alarm as nothing or as 0. */
static void prepares_the_inner_sleep_as_its_own(void **state)
{
	static const char *const free_alarms[] = { "", "\n", "0", "0\n" };
	struct world world;
	struct sleeper *sleeper = open_world(&world);

	(void)state;
	sleeper->lid = (struct lid *)&world;
	sleeper->run = "/run/somewhere";
	for (size_t i = 0; i < sizeof(free_alarms) / sizeof(free_alarms[0]); i++) {
		struct error error = { 0 };

		write_alarm(&world, free_alarms[i]);
		assert_int_equal(sleeper->ops->prepare(sleeper, &error), 0);
		assert_int_equal(world.prepared, i + 1);
		assert_ptr_equal(world.inner.lid, &world);
		assert_string_equal(world.inner.run, "/run/somewhere");
	}
	close_world(&world, sleeper);
}

static void refuses_if_another_alarm_is_set(void **state)
{
	struct world world;
	struct sleeper *sleeper = open_world(&world);
	struct error error = { 0 };

	(void)state;
	write_alarm(&world, "1795000000\n");
	assert_int_equal(sleeper->ops->prepare(sleeper, &error), -EOPNOTSUPP);
	assert_int_equal(error.outcome, OUTCOME_UNSUPPORTED);
	assert_non_null(strstr(error_text(&error), "wakealarm: 1795000000, in seconds"));
	assert_int_equal(world.prepared, 0);
	close_world(&world, sleeper);
}

static void refuses_without_an_alarm(void **state)
{
	struct world world;
	struct sleeper *sleeper = open_world(&world);
	struct error error = { 0 };

	(void)state;
	assert_int_equal(unlink(world.alarm), 0);
	assert_int_equal(sleeper->ops->prepare(sleeper, &error), -EOPNOTSUPP);
	assert_int_equal(error.outcome, OUTCOME_UNSUPPORTED);
	assert_non_null(strstr(error_text(&error), "without --sleep"));
	assert_int_equal(world.prepared, 0);
	close_world(&world, sleeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_the_alarm_right_before_the_sleep),
		cmocka_unit_test(clears_the_alarm_when_the_host_did_not_sleep),
		cmocka_unit_test(refuses_if_another_alarm_is_set),
		cmocka_unit_test(refuses_without_an_alarm),
		cmocka_unit_test(does_not_sleep_without_its_alarm),
		cmocka_unit_test(an_alarm_that_cannot_be_read_is_an_error),
		cmocka_unit_test(prepares_the_inner_sleep_as_its_own),
	};

	return cmocka_run_group_tests_name("sleeper-alarm", tests, NULL, NULL);
}
