/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sleep-manager-systemd.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "pmcoord/enum-name.h"
#include "model/loop.h"
#include "host/loop-event.h"
#include "host/systemd.h"

/*
 * The time limit in µs for a reply of systemd, which usually takes milliseconds. The
 * limit is short, because guests may be suspended meanwhile. After a timeout, pmcoord
 * continues as if there were no systemd.
 */
#define CALL_TIMEOUT_US 2000000

/* A wait for the end of a sleep. */
struct wait {
	sd_bus *bus;
	int timer_fd;
	sd_event_source *timer;
	bool is_over;
};

static const char *const units[] = {
	[SLEEP_KIND_NONE] = "",
	[SLEEP_KIND_SUSPEND] = "systemd-suspend.service",
	[SLEEP_KIND_HIBERNATE] = "systemd-hibernate.service",
	[SLEEP_KIND_HYBRID_SLEEP] = "systemd-hybrid-sleep.service",
	[SLEEP_KIND_SUSPEND_THEN_HIBERNATE] = "systemd-suspend-then-hibernate.service",
};
ENUM_COMPLETE(units, SLEEP_KIND_SUSPEND_THEN_HIBERNATE);

const char *sleep_kind_unit(enum sleep_kind kind)
{
	return ENUM_NAME(units, kind);
}

/* ---- the manager's jobs -------------------------------------------------- */

/*
 * Called for each job of systemd; `data` is a struct sleep_job. Sets `kind` if the
 * job starts a sleep service, or `waits_for_us` if it starts pmcoord's sleep unit.
 * The sleep services are oneshot, so a listed start job means that the sleep has
 * not ended.
 */
static int handle_job(void *data, const struct systemd_job *listed)
{
	struct sleep_job *job = data;

	if (strcmp(listed->type, "start") != 0)
		return 0;
	if (strcmp(listed->unit, SLEEP_UNIT) == 0)
		job->waits_for_us = true;
	for (size_t i = SLEEP_KIND_SUSPEND; i < ELEMENTSOF(units); i++)
		if (strcmp(listed->unit, units[i]) == 0)
			job->kind = (enum sleep_kind)i;
	return 0;
}

/* Reads a reply to ListJobs. */
static int read_jobs(sd_bus_message *reply, struct sleep_job *ret_job)
{
	struct sleep_job job = { 0 };
	int r = systemd_read_jobs(reply, handle_job, &job);

	if (r < 0)
		return r;
	*ret_job = job;
	return 0;
}

static int list_jobs(sd_bus *bus, struct sleep_job *ret_job)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_call_method(bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListJobs", NULL,
				   &reply, "");

	if (r >= 0)
		r = read_jobs(reply, ret_job);
	sd_bus_message_unref(reply);
	return r;
}

static int open_bus(sd_bus **ret_bus)
{
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, CALL_TIMEOUT_US);
	if (r < 0) {
		sd_bus_unref(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

static int systemd_get_state(struct sleep_manager *manager, struct sleep_job *ret_job)
{
	sd_bus *bus;
	int r = open_bus(&bus);

	(void)manager;
	if (r < 0)
		return r;
	r = list_jobs(bus, ret_job);
	sd_bus_close_unref(bus);
	return r;
}

/* ---- the end of a sleep -------------------------------------------------- */

static uint64_t systemd_slept_us(struct sleep_manager *manager)
{
	(void)manager;
	return clock_suspended_us();
}

static bool is_in_progress(const struct sleep_job *job)
{
	return job->kind != SLEEP_KIND_NONE && !job->waits_for_us;
}

static int on_jobs(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct wait *wait = data;
	struct sleep_job job;

	(void)error;
	if (sd_bus_message_is_method_error(reply, NULL) || read_jobs(reply, &job) < 0 ||
	    !is_in_progress(&job))
		wait->is_over = true;
	return 0;
}

static int on_job(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct wait *wait = data;

	(void)message;
	(void)error;
	if (sd_bus_call_method_async(wait->bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
				     "ListJobs", on_jobs, wait, "") < 0)
		wait->is_over = true;
	return 0;
}

/*
 * Arms a timer that never expires. The kernel cancels the timer when CLOCK_REALTIME is
 * set, which happens at each wake.
 */
static int set_timer(const struct wait *wait)
{
	const struct itimerspec never = {
		.it_value.tv_sec = INT64_MAX / 1000000000,
	};

	return timerfd_settime(wait->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
			       NULL) < 0
		       ? -errno
		       : 0;
}

static int on_clock_jump(sd_event_source *source, int fd, uint32_t events, void *data)
{
	uint64_t expirations;

	(void)source;
	(void)events;
	/*
	 * A cancelled timer (ECANCELED) must be armed again. systemd_await_end
	 * checks whether the host has slept.
	 */
	if (read(fd, &expirations, sizeof(expirations)) < 0)
		set_timer(data);
	return 0;
}

static int watch_clock(struct wait *wait, sd_event *event)
{
	int r;

	wait->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	r = wait->timer_fd < 0 ? -errno : set_timer(wait);
	return r < 0 ? r
		     : sd_event_add_io(event, &wait->timer, wait->timer_fd, EPOLLIN, on_clock_jump,
				       wait);
}

static int watch_jobs(struct wait *wait, sd_event *event)
{
	static const char *const signals[] = { "JobNew", "JobRemoved" };
	int r = 0;

	for (size_t i = 0; i < ELEMENTSOF(signals) && r >= 0; i++)
		r = sd_bus_match_signal(wait->bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
					signals[i], on_job, wait);
	if (r >= 0)
		r = sd_bus_call_method(wait->bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
				       "Subscribe", NULL, NULL, "");
	return r < 0 ? r : sd_bus_attach_event(wait->bus, event, 0);
}

static int begin_wait(struct wait *wait, sd_event *event)
{
	struct sleep_job job;
	int r = open_bus(&wait->bus);

	if (r >= 0)
		r = watch_clock(wait, event);
	if (r >= 0)
		r = watch_jobs(wait, event);
	/* The jobs are listed after the subscription, so that no change is missed. */
	if (r >= 0)
		r = list_jobs(wait->bus, &job);
	if (r >= 0)
		wait->is_over = !is_in_progress(&job);
	return r;
}

static void end_wait(struct wait *wait)
{
	sd_event_source_disable_unref(wait->timer);
	closep(&wait->timer_fd);
	if (wait->bus)
		sd_bus_detach_event(wait->bus);
	sd_bus_close_unref(wait->bus);
}

static bool has_slept(uint64_t slept_before_us)
{
	return clock_suspended_us() >= slept_before_us + SLEEP_MIN_US;
}

static int systemd_await_end(struct sleep_manager *manager, struct loop *loop,
			     uint64_t slept_before_us)
{
	struct wait wait = { .timer_fd = -EBADF };
	int r = 0;

	(void)manager;
	if (has_slept(slept_before_us))
		return 0;
	if (begin_wait(&wait, loop_event(loop)) < 0)
		wait.is_over = true;
	while (r == 0 && !wait.is_over && sd_bus_is_open(wait.bus) > 0 &&
	       !has_slept(slept_before_us))
		r = loop->ops->wait(loop, LOOP_FOREVER);
	end_wait(&wait);
	return r;
}

/* ---- the object ---------------------------------------------------------- */

static void systemd_free(struct sleep_manager *manager)
{
	free(manager);
}

static const struct sleep_manager_ops systemd_ops = {
	.free = systemd_free,
	.get_state = systemd_get_state,
	.slept_us = systemd_slept_us,
	.await_end = systemd_await_end,
};

int sleep_manager_systemd_new(struct sleep_manager **ret_manager)
{
	struct sleep_manager *manager = calloc(1, sizeof(*manager));

	assert(ret_manager);
	if (!manager)
		return -ENOMEM;
	manager->ops = &systemd_ops;
	*ret_manager = manager;
	return 0;
}
