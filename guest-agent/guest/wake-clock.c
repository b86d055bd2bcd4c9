/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/wake-clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/*
 * The minimum growth of get_suspended_us() that counts as a suspend. Without a suspend the
 * result varies by microseconds, because it is the difference of two clocks that are read
 * one after the other.
 */
#define SUSPENDED_MIN_US 500

struct wake_clock {
	int fd;
	sd_event_source *source;
	uint64_t (*get_suspended_us)(void);
	uint64_t suspended_us; /* get_suspended_us() when the clock was armed */
	wake_clock_fn woken;
	void *userdata;
};

/* Sets the timer to the end of time: it never expires, but can be cancelled. */
static int set_timer(struct wake_clock *clock)
{
	const struct itimerspec never = {
		.it_value.tv_sec = INT64_MAX / 1000000000,
	};

	/*
	 * ECANCELED: the time was set while the timer was not armed. The timer is armed now,
	 * despite this error (Linux's fs/timerfd.c).
	 */
	if (timerfd_settime(clock->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) <
		    0 &&
	    errno != ECANCELED)
		return -errno;
	return 0;
}

static int on_timer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct wake_clock *clock = userdata;
	uint64_t expirations;
	ssize_t n = read(fd, &expirations, sizeof(expirations));

	(void)source;
	(void)revents;
	/* Only ECANCELED means that the time has changed; other errors are ignored. */
	if (n < 0 && errno != ECANCELED)
		return 0;
	if (wake_clock_was_suspended(clock)) {
		wake_clock_disarm(clock);
		clock->woken(clock->userdata);
		return 0;
	}
	/* The time was set, but the guest was not suspended: arm the timer again. */
	return set_timer(clock);
}

int wake_clock_new(sd_event *event, uint64_t (*suspended_us)(void), wake_clock_fn woken,
		   void *userdata, struct wake_clock **ret)
{
	struct wake_clock *clock;
	int r;

	assert(event && suspended_us && woken && ret);
	clock = calloc(1, sizeof(*clock));
	if (!clock)
		return -ENOMEM;
	clock->get_suspended_us = suspended_us;
	clock->woken = woken;
	clock->userdata = userdata;
	clock->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	r = clock->fd < 0
		    ? -errno
		    : sd_event_add_io(event, &clock->source, clock->fd, EPOLLIN, on_timer, clock);
	if (r >= 0)
		r = sd_event_source_set_enabled(clock->source, SD_EVENT_OFF);
	if (r < 0) {
		wake_clock_free(clock);
		return r;
	}
	*ret = clock;
	return 0;
}

int wake_clock_arm(struct wake_clock *clock)
{
	int r = set_timer(clock);

	if (r < 0)
		return r;
	clock->suspended_us = clock->get_suspended_us();
	return sd_event_source_set_enabled(clock->source, SD_EVENT_ON);
}

void wake_clock_disarm(struct wake_clock *clock)
{
	sd_event_source_set_enabled(clock->source, SD_EVENT_OFF);
}

bool wake_clock_was_suspended(const struct wake_clock *clock)
{
	return clock->get_suspended_us() >= clock->suspended_us + SUSPENDED_MIN_US;
}

void wake_clock_free(struct wake_clock *clock)
{
	if (!clock)
		return;
	sd_event_source_disable_unref(clock->source);
	if (clock->fd >= 0)
		close(clock->fd);
	free(clock);
}
