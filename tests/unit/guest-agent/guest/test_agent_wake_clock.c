/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests the detection of a suspend. An eventfd stands for the kernel's timer, so that tests need
 * not set the time: it becomes readable when the kernel would cancel the timer.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "guest/wake-clock.h"

/* The timer of the clock under test. */
static struct {
	bool is_created; /* by the next call of timerfd_create() */
	int fd;
	int create_error, set_error, read_error; /* errno, or 0 */
	int sets;
	struct itimerspec last;
	int last_flags;
} timer;

/* Replaces the C library's function, for the clock under test only. */
int timerfd_create(clockid_t clock, int flags)
{
	if (!timer.is_created)
		return (int)syscall(SYS_timerfd_create, clock, flags);
	timer.is_created = false;
	assert_int_equal(clock, CLOCK_REALTIME);
	assert_int_equal(flags, TFD_CLOEXEC | TFD_NONBLOCK);
	errno = timer.create_error;
	timer.fd = timer.create_error ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return timer.fd;
}

/* Replaces the C library's function, for the clock under test only. */
int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	if (fd != timer.fd)
		return (int)syscall(SYS_timerfd_settime, fd, flags, value, old);
	timer.sets++;
	timer.last = *value;
	timer.last_flags = flags;
	errno = timer.set_error;
	return timer.set_error ? -1 : 0;
}

/* Replaces the C library's function: fails for the clock under test, after it has read. */
ssize_t read(int fd, void *ret, size_t size)
{
	ssize_t n = syscall(SYS_read, fd, ret, size);

	if (fd != timer.fd || !timer.read_error)
		return n;
	errno = timer.read_error;
	return -1;
}

static uint64_t suspended_us;

static uint64_t get_suspended_us(void)
{
	return suspended_us;
}

struct sleep {
	sd_event *event;
	struct wake_clock *clock;
	int woken;
};

static void on_woken(void *userdata)
{
	((struct sleep *)userdata)->woken++;
}

static int make_clock(struct sleep *sleep)
{
	timer.is_created = true;
	return wake_clock_new(sleep->event, get_suspended_us, on_woken, sleep, &sleep->clock);
}

static int set_up(void **state)
{
	struct sleep *sleep = calloc(1, sizeof(*sleep));

	timer = (__typeof__(timer)){ .fd = -1 };
	suspended_us = 7000;
	assert_int_equal(sd_event_new(&sleep->event), 0);
	*state = sleep;
	return 0;
}

static int tear_down(void **state)
{
	struct sleep *sleep = *state;

	wake_clock_free(sleep->clock);
	sd_event_unref(sleep->event);
	free(sleep);
	return 0;
}

/* The kernel cancels the timer, and all events are handled. */
static void cancel(struct sleep *sleep)
{
	uint64_t one = 1;

	assert_int_equal(write(timer.fd, &one, sizeof(one)), sizeof(one));
	while (sd_event_run(sleep->event, 0) > 0)
		;
}

static void a_timer_that_never_expires_is_set(void **state)
{
	struct sleep *sleep = *state;

	assert_int_equal(make_clock(sleep), 0);
	assert_int_equal(timer.sets, 0);
	assert_int_equal(wake_clock_arm(sleep->clock), 0);
	assert_int_equal(timer.sets, 1);
	assert_int_equal(timer.last_flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
	/* The latest time that the kernel can count in nanoseconds. */
	assert_true(timer.last.it_value.tv_sec == INT64_MAX / 1000000000);
	assert_int_equal(timer.last.it_interval.tv_sec, 0);
}

static void tells_a_suspend_from_a_time_that_was_set(void **state)
{
	static const struct {
		uint64_t suspended_us;
		int read_error;
		int woken, sets;
	} cases[] = {
		{ 500, 0, 1, 0 },
		{ 500, ECANCELED, 1, 0 },
		{ 3600000000, ECANCELED, 1, 0 },
		{ 499, ECANCELED, 0, 1 },
		{ 0, ECANCELED, 0, 1 },
		{ 0, 0, 0, 1 },
		/* Any other error says nothing. */
		{ 3600000000, EAGAIN, 0, 0 },
	};
	struct sleep *sleep = *state;

	assert_int_equal(make_clock(sleep), 0);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		timer.read_error = 0;
		assert_int_equal(wake_clock_arm(sleep->clock), 0);
		assert_false(wake_clock_was_suspended(sleep->clock));
		timer.sets = sleep->woken = 0;
		suspended_us += cases[i].suspended_us;
		timer.read_error = cases[i].read_error;
		cancel(sleep);
		assert_int_equal(sleep->woken, cases[i].woken);
		assert_int_equal(timer.sets, cases[i].sets);
		assert_int_equal(wake_clock_was_suspended(sleep->clock),
				 cases[i].suspended_us >= 500);
	}
}

static void wakes_only_once_and_only_while_armed(void **state)
{
	struct sleep *sleep = *state;

	assert_int_equal(make_clock(sleep), 0);
	suspended_us += 1000;
	cancel(sleep);
	assert_int_equal(sleep->woken, 0);
	/* The time of this suspend is before the clock is armed. */
	assert_int_equal(wake_clock_arm(sleep->clock), 0);
	assert_false(wake_clock_was_suspended(sleep->clock));
	suspended_us += 1000;
	cancel(sleep);
	assert_int_equal(sleep->woken, 1);
	suspended_us += 1000;
	cancel(sleep);
	assert_int_equal(sleep->woken, 1);
	assert_int_equal(wake_clock_arm(sleep->clock), 0);
	wake_clock_disarm(sleep->clock);
	suspended_us += 1000;
	cancel(sleep);
	assert_int_equal(sleep->woken, 1);
}

static void a_timer_that_cannot_be_set_is_an_error(void **state)
{
	struct sleep *sleep = *state;

	timer.create_error = EMFILE;
	assert_int_equal(make_clock(sleep), -EMFILE);
	assert_null(sleep->clock);
	timer.create_error = 0;
	assert_int_equal(make_clock(sleep), 0);
	timer.set_error = EINVAL;
	assert_int_equal(wake_clock_arm(sleep->clock), -EINVAL);
	suspended_us += 1000;
	cancel(sleep);
	assert_int_equal(sleep->woken, 0);
	/* The kernel has armed the timer despite this error. */
	timer.set_error = ECANCELED;
	assert_int_equal(wake_clock_arm(sleep->clock), 0);
	suspended_us += 1000;
	cancel(sleep);
	assert_int_equal(sleep->woken, 1);
}

static void a_clock_that_is_freed_closes_its_timer(void **state)
{
	struct sleep *sleep = *state;

	assert_int_equal(make_clock(sleep), 0);
	wake_clock_free(sleep->clock);
	sleep->clock = NULL;
	assert_int_equal(close(timer.fd), -1);
	wake_clock_free(NULL);
}

/* As for a process that was started without a standard input. */
static void a_timer_may_have_the_descriptor_0(void **state)
{
	struct sleep *sleep = *state;
	int stdin_fd = dup(STDIN_FILENO), closed;

	assert_true(stdin_fd > 0);
	close(STDIN_FILENO);
	assert_int_equal(make_clock(sleep), 0);
	assert_int_equal(timer.fd, 0);
	assert_int_equal(wake_clock_arm(sleep->clock), 0);
	suspended_us += 1000;
	cancel(sleep);
	wake_clock_free(sleep->clock);
	sleep->clock = NULL;
	closed = close(STDIN_FILENO);
	assert_int_equal(dup2(stdin_fd, STDIN_FILENO), STDIN_FILENO);
	close(stdin_fd);
	assert_int_equal(sleep->woken, 1);
	assert_int_equal(closed, -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_timer_that_never_expires_is_set),
		TEST(tells_a_suspend_from_a_time_that_was_set),
		TEST(wakes_only_once_and_only_while_armed),
		TEST(a_timer_that_cannot_be_set_is_an_error),
		TEST(a_clock_that_is_freed_closes_its_timer),
		TEST(a_timer_may_have_the_descriptor_0),
	};

	return cmocka_run_group_tests_name("agent-wake-clock", tests, NULL, NULL);
}
