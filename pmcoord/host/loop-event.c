/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/loop-event.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "pmcoord/clock.h"
#include "pmcoord/stop-signals.h"

struct real_loop {
	struct loop loop;
	sd_event *event;
	sd_event_source *timer;
	sd_event_source *hypervisor; /* NULL: none */
	sd_event_source *watched; /* see loop_watch_fd */
	sd_event_source *watchdog;
	uint64_t watchdog_us;
	bool stop_requested;
};

static const struct loop_ops real_ops;

static struct real_loop *real(struct loop *loop)
{
	assert(loop->ops == &real_ops);
	return (struct real_loop *)loop;
}

static void real_free(struct loop *loop)
{
	struct real_loop *self = real(loop);

	sd_event_source_unref(self->timer);
	sd_event_source_unref(self->hypervisor);
	sd_event_source_unref(self->watched);
	sd_event_source_unref(self->watchdog);
	sd_event_unref(self->event);
	free(self);
}

static uint64_t real_now(struct loop *loop)
{
	(void)loop;
	return clock_boottime_us();
}

/*
 * Does nothing: dispatching this source ends the wait, and the caller of wait() reads
 * the events.
 */
static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)data;
	return 0;
}

/* Does nothing: dispatching this source ends the wait at its deadline. */
static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	(void)data;
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct real_loop *self = data;

	(void)source;
	self->stop_requested = true;
	loop_interrupt(&self->loop, (int)info->ssi_signo);
	return 0;
}

static int real_wait(struct loop *loop, uint64_t deadline_us)
{
	struct real_loop *self = real(loop);
	int r;

	if (deadline_us == LOOP_FOREVER) {
		r = sd_event_source_set_enabled(self->timer, SD_EVENT_OFF);
	} else {
		r = sd_event_source_set_time(self->timer, deadline_us);
		if (r >= 0)
			r = sd_event_source_set_enabled(self->timer, SD_EVENT_ONESHOT);
	}
	if (r < 0)
		return r;
	r = sd_event_run(self->event, UINT64_MAX);
	return r < 0 ? r : 0;
}

static int real_watch_fd(struct loop *loop, int fd)
{
	struct real_loop *self = real(loop);
	int r = 0;

	self->watched = sd_event_source_disable_unref(self->watched);
	/* Edge-triggered, because a removed device stays readable and would end every wait. */
	if (fd >= 0)
		r = sd_event_add_io(self->event, &self->watched, fd, EPOLLIN | EPOLLET, on_readable,
				    self);
	return r < 0 ? r : 0;
}

static const struct loop_ops real_ops = {
	.free = real_free,
	.now = real_now,
	.wait = real_wait,
	.watch_fd = real_watch_fd,
};

static int add_sources(struct real_loop *self, struct hypervisor *hypervisor)
{
	/* Waits must end on time, so the timer is not coalesced with other wake-ups. */
	uint64_t accuracy_us = 1;
	/* Signals are handled before the timer, so that an expired deadline hides no signal. */
	int r = stop_signals_watch(self->event, SD_EVENT_PRIORITY_IMPORTANT, on_signal, self);

	if (r >= 0)
		r = sd_event_add_time(self->event, &self->timer, CLOCK_BOOTTIME, 0, accuracy_us,
				      on_timer, self);
	if (r >= 0)
		r = sd_event_source_set_priority(self->timer, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_source_set_enabled(self->timer, SD_EVENT_OFF);
	if (r >= 0 && hypervisor)
		r = sd_event_add_io(self->event, &self->hypervisor, hypervisor->ops->fd(hypervisor),
				    EPOLLIN, on_readable, self);
	return r;
}

int loop_new(struct hypervisor *hypervisor, struct loop **ret_loop, struct error *error)
{
	struct real_loop *self = calloc(1, sizeof(*self));
	int r;

	assert(ret_loop);
	if (!self)
		return error_set(error, -ENOMEM, "out of memory");
	self->loop.ops = &real_ops;
	r = sd_event_new(&self->event);
	if (r >= 0)
		r = add_sources(self, hypervisor);
	if (r < 0) {
		real_free(&self->loop);
		return error_set(error, r, "cannot set up the event loop: %s", strerror(-r));
	}
	*ret_loop = &self->loop;
	return 0;
}

struct sd_event *loop_event(struct loop *loop)
{
	return real(loop)->event;
}

bool loop_stop_requested(const struct loop *loop)
{
	assert(loop->ops == &real_ops);
	return ((const struct real_loop *)loop)->stop_requested;
}

int loop_watch_hypervisor(struct loop *loop, bool enable)
{
	struct real_loop *self = real(loop);
	int r = 0;

	if (self->hypervisor)
		r = sd_event_source_set_enabled(self->hypervisor,
						enable ? SD_EVENT_ON : SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *data)
{
	struct real_loop *self = data;

	(void)usec;
	sd_notify(0, "WATCHDOG=1");
	sd_event_source_set_time_relative(source, self->watchdog_us);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int loop_watchdog(struct loop *loop, uint64_t interval_us)
{
	struct real_loop *self = real(loop);
	int r;

	self->watchdog_us = interval_us;
	self->watchdog = sd_event_source_disable_unref(self->watchdog);
	if (interval_us == 0)
		return 0;
	r = sd_event_add_time_relative(self->event, &self->watchdog, CLOCK_MONOTONIC, interval_us,
				       0, on_watchdog, self);
	return r < 0 ? r : 0;
}
