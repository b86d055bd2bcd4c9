/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/virtual-time.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/fakexen/wakeup-fd.h"

/* Where the clocks start: no test depends on it, but a boot is never at 0. */
#define START_US 1000000000ull
/* 2026-11-29 00:00:00 UTC. */
#define START_REALTIME_US 1795910400000000ull
#define TIMER_FDS_MAX 64

struct handler {
	uint64_t at_us;
	uint64_t order;
	virtual_time_fn handle;
	void *data;
};

struct timer_fd {
	struct wakeup_fd wakeup; /* write_fd 0: the slot is free */
	int fd;
	clockid_t clock;
	uint64_t at_us; /* of `clock` */
};

static struct {
	bool started;
	bool in_handler;
	uint64_t now_us;
	uint64_t slept_us;
	struct handler *handlers; /* a heap by time and order */
	size_t n_handlers, n_allocated;
	uint64_t order;
	struct timer_fd timers[TIMER_FDS_MAX];
	virtual_time_fn on_idle;
	void *idle_data;
	uint64_t n_waits;
} vt;

/* ---- handlers ----------------------------------------------------------- */

static bool is_before(const struct handler *a, const struct handler *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap_handlers(size_t i, size_t j)
{
	struct handler other = vt.handlers[i];

	vt.handlers[i] = vt.handlers[j];
	vt.handlers[j] = other;
}

static void sift_up(size_t i)
{
	for (; i > 0 && is_before(&vt.handlers[i], &vt.handlers[(i - 1) / 2]); i = (i - 1) / 2)
		swap_handlers(i, (i - 1) / 2);
}

static void sift_down(size_t i)
{
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < vt.n_handlers; child++)
			if (is_before(&vt.handlers[child], &vt.handlers[least]))
				least = child;
		if (least == i)
			return;
		swap_handlers(i, least);
		i = least;
	}
}

void virtual_time_at(uint64_t at_us, virtual_time_fn handle, void *data)
{
	if (vt.n_handlers == vt.n_allocated) {
		vt.n_allocated = vt.n_allocated ? 2 * vt.n_allocated : 64;
		vt.handlers = reallocarray(vt.handlers, vt.n_allocated, sizeof(*vt.handlers));
		if (!vt.handlers)
			abort();
	}
	vt.handlers[vt.n_handlers] = (struct handler){
		.at_us = at_us,
		.order = vt.order++,
		.handle = handle,
		.data = data,
	};
	sift_up(vt.n_handlers++);
}

void virtual_time_after(uint64_t delay_us, virtual_time_fn handle, void *data)
{
	virtual_time_at(vt.now_us + delay_us, handle, data);
}

static uint64_t next_handler(void)
{
	return vt.n_handlers > 0 ? vt.handlers[0].at_us : VIRTUAL_TIME_NEVER;
}

static void run_next_handler(void)
{
	struct handler handler = vt.handlers[0];

	vt.handlers[0] = vt.handlers[--vt.n_handlers];
	sift_down(0);
	vt.in_handler = true;
	handler.handle(handler.data);
	vt.in_handler = false;
}

/* ---- timers of the program ---------------------------------------------- */

static uint64_t clock_now(clockid_t clock)
{
	switch (clock) {
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return vt.now_us;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
		return START_REALTIME_US + vt.now_us;
	default:
		return vt.now_us - vt.slept_us;
	}
}

/* Returns when a timer expires, in µs of CLOCK_BOOTTIME. */
static uint64_t expiry(const struct timer_fd *timer)
{
	uint64_t now = clock_now(timer->clock);

	if (timer->wakeup.inode == 0 || timer->wakeup.readable ||
	    timer->at_us == VIRTUAL_TIME_NEVER)
		return VIRTUAL_TIME_NEVER;
	return timer->at_us <= now ? vt.now_us : vt.now_us + (timer->at_us - now);
}

static uint64_t next_expiry(void)
{
	uint64_t next = VIRTUAL_TIME_NEVER;

	for (size_t i = 0; i < TIMER_FDS_MAX; i++)
		if (expiry(&vt.timers[i]) < next)
			next = expiry(&vt.timers[i]);
	return next;
}

static void expire_timers(void)
{
	for (size_t i = 0; i < TIMER_FDS_MAX; i++)
		if (expiry(&vt.timers[i]) <= vt.now_us)
			wakeup_fd_set(&vt.timers[i].wakeup, vt.timers[i].fd, true,
				      sizeof(uint64_t));
}

static void release_timers(void)
{
	for (size_t i = 0; i < TIMER_FDS_MAX; i++)
		if (vt.timers[i].wakeup.inode != 0 && wakeup_fd_is_released(&vt.timers[i].wakeup))
			wakeup_fd_close(&vt.timers[i].wakeup);
}

/* ---- the passing of time ------------------------------------------------ */

static void advance_to(uint64_t at_us)
{
	if (at_us > vt.now_us)
		vt.now_us = at_us;
	expire_timers();
}

static void run_until(uint64_t until_us)
{
	while (next_handler() <= until_us) {
		advance_to(next_handler());
		run_next_handler();
	}
	advance_to(until_us);
}

void virtual_time_start(void)
{
	virtual_time_stop();
	vt.started = true;
	vt.now_us = START_US;
}

void virtual_time_stop(void)
{
	for (size_t i = 0; i < TIMER_FDS_MAX; i++)
		if (vt.timers[i].wakeup.inode != 0)
			wakeup_fd_close(&vt.timers[i].wakeup);
	free(vt.handlers);
	vt = (typeof(vt)){ 0 };
}

bool virtual_time_is_started(void)
{
	return vt.started;
}

uint64_t virtual_time_now(void)
{
	return vt.now_us;
}

void virtual_time_spend(uint64_t us)
{
	if (!vt.in_handler)
		run_until(vt.now_us + us);
}

void virtual_time_pass(uint64_t us)
{
	run_until(vt.now_us + us);
}

void virtual_time_sleep(uint64_t us)
{
	for (size_t i = 0; i < vt.n_handlers; i++)
		vt.handlers[i].at_us += us;
	vt.slept_us += us;
	advance_to(vt.now_us + us);
}

void virtual_time_on_idle(virtual_time_fn handle, void *data)
{
	vt.on_idle = handle;
	vt.idle_data = data;
}

bool virtual_time_is_in_handler(void)
{
	return vt.in_handler;
}

void virtual_time_leave_handler(void)
{
	vt.in_handler = false;
}

uint64_t virtual_time_count_waits(void)
{
	return vt.n_waits;
}

/* ---- what the C library would do ---------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	uint64_t now;

	if (!vt.started)
		return (int)syscall(SYS_clock_gettime, clock, ret);
	/* Reading a clock takes time, too: a loop that only waits for a moment ends. */
	vt.now_us++;
	now = clock_now(clock);
	*ret = (struct timespec){ (time_t)(now / 1000000), (long)(now % 1000000) * 1000 };
	return 0;
}

int timerfd_create(clockid_t clock, int flags)
{
	if (!vt.started)
		return (int)syscall(SYS_timerfd_create, clock, flags);
	release_timers();
	for (size_t i = 0; i < TIMER_FDS_MAX; i++) {
		struct timer_fd *timer = &vt.timers[i];

		if (timer->wakeup.inode != 0)
			continue;
		*timer = (struct timer_fd){ .clock = clock, .at_us = VIRTUAL_TIME_NEVER };
		timer->fd = wakeup_fd_open(&timer->wakeup);
		return timer->fd;
	}
	errno = EMFILE;
	return -1;
}

static struct timer_fd *find_timer(int fd)
{
	for (size_t i = 0; i < TIMER_FDS_MAX; i++)
		if (wakeup_fd_is(&vt.timers[i].wakeup, fd))
			return &vt.timers[i];
	return NULL;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	struct timer_fd *timer = vt.started ? find_timer(fd) : NULL;
	uint64_t at_us = (uint64_t)value->it_value.tv_sec * 1000000 +
			 (uint64_t)(value->it_value.tv_nsec + 999) / 1000;

	if (!timer)
		return (int)syscall(SYS_timerfd_settime, fd, flags, value, old);
	if (old)
		*old = (struct itimerspec){ 0 };
	timer->fd = fd;
	/* The reader may have taken the bytes, which the double does not see. */
	timer->wakeup.readable = true;
	wakeup_fd_set(&timer->wakeup, fd, false, 0);
	if (at_us == 0)
		timer->at_us = VIRTUAL_TIME_NEVER;
	else
		timer->at_us = flags & TFD_TIMER_ABSTIME ? at_us : clock_now(timer->clock) + at_us;
	return 0;
}

static int poll_now(int epoll_fd, struct epoll_event *events, int max)
{
	return (int)syscall(SYS_epoll_pwait, epoll_fd, events, max, 0, NULL, 0);
}

static void handle_idle(void)
{
	if (!vt.on_idle) {
		fprintf(stderr, "virtual time: the program waits for ever\n");
		abort();
	}
	vt.on_idle(vt.idle_data);
}

int epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout_ms)
{
	uint64_t deadline_us =
		timeout_ms < 0 ? VIRTUAL_TIME_NEVER : vt.now_us + (uint64_t)timeout_ms * 1000;

	if (!vt.started)
		return (int)syscall(SYS_epoll_pwait, epoll_fd, events, max, timeout_ms, NULL, 0);
	vt.n_waits++;
	for (;;) {
		int n = poll_now(epoll_fd, events, max);
		uint64_t next = next_handler(), timer = next_expiry();

		if (n != 0 || vt.now_us >= deadline_us)
			return n;
		if (timer < next && timer <= deadline_us) {
			advance_to(timer);
		} else if (next <= deadline_us && next != VIRTUAL_TIME_NEVER) {
			advance_to(next);
			run_next_handler();
		} else if (deadline_us != VIRTUAL_TIME_NEVER) {
			advance_to(deadline_us);
		} else {
			handle_idle();
		}
	}
}
