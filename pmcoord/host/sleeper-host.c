/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sleep-manager-systemd.h"
#include "host/sleeper-host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "host/lid.h"
#include "host/loop-event.h"
#include "pmcoord/parse.h"
#include "host/sleep-jobs.h"

/* Devices may take ReadyTimeout=, which is an hour at the very most. */
#define COMING_BACK_US "3700000000"

struct host_sleeper {
	struct sleeper sleeper;
	char *sys;
	int state_fd; /* power/state, opened before the first guest is asked */
	int success_fd; /* power/suspend_stats/success: how often it slept */
	int sync_fd; /* power/sync_on_suspend, -1 where there is none */
	bool sync_was_on;
	uint64_t successes;
	int socket_fd; /* for words to the service manager; -1: sd_notify */
	struct sleep_manager *manager; /* borrowed, may be NULL */
	uint64_t slept_before_us; /* since boot, before this sleep */
	sd_bus *bus; /* to call systemd's sleep off; may be NULL */
};

static struct host_sleeper *host(struct sleeper *sleeper)
{
	return (struct host_sleeper *)sleeper;
}

static void host_free(struct sleeper *sleeper)
{
	struct host_sleeper *self = host(sleeper);

	closep(&self->state_fd);
	closep(&self->success_fd);
	closep(&self->sync_fd);
	sd_bus_flush_close_unref(self->bus);
	free(self->sys);
	free(self);
}

static int open_attribute(const struct host_sleeper *self, const char *name, int flags)
{
	_cleanup_(freep) char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/power/%s", self->sys, name) < 0)
		return -ENOMEM;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Reads an attribute's text, without its newline, from the start. */
static int read_attribute(int fd, char *ret, size_t size)
{
	ssize_t n = pread(fd, ret, size - 1, 0);

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* "mem" stands among the states, and means deep: S3, not s2idle. */
static int check_offers_s3(struct host_sleeper *self, struct error *error)
{
	_cleanup_(closep) int mem_sleep_fd = -EBADF;
	char text[128];
	int r = read_attribute(self->state_fd, text, sizeof(text));

	if (r < 0)
		return error_set(error, r, "cannot read %s/power/state: %s", self->sys,
				 strerror(-r));
	if (!strstr(text, "mem"))
		return error_refuse(
			error, OUTCOME_UNSUPPORTED,
			"this host offers no suspend to RAM (%s/power/state has only '%s'): look for S3 in the firmware's setup",
			self->sys, text);
	mem_sleep_fd = open_attribute(self, "mem_sleep", O_RDWR);
	if (mem_sleep_fd < 0 || read_attribute(mem_sleep_fd, text, sizeof(text)) < 0)
		return 0; /* a kernel without the choice means S3 by "mem" */
	if (strstr(text, "[deep]"))
		return 0;
	if (strstr(text, "deep")) {
		if (write(mem_sleep_fd, "deep", 4) == 4)
			return 0;
		return error_set(error, -errno, "cannot choose S3 in %s/power/mem_sleep: %s",
				 self->sys, strerror(errno));
	}
	return error_refuse(
		error, OUTCOME_UNSUPPORTED,
		"this host offers only s2idle, not S3 (%s/power/mem_sleep is '%s'), which Xen cannot wake from: look for S3 in the firmware's setup",
		self->sys, text);
}

static uint64_t read_successes(const struct host_sleeper *self)
{
	char text[32];
	uint64_t successes = 0;

	if (self->success_fd < 0 || read_attribute(self->success_fd, text, sizeof(text)) < 0 ||
	    parse_u64(text, UINT64_MAX, &successes) < 0)
		return 0;
	return successes;
}

static int host_prepare(struct sleeper *sleeper, struct error *error)
{
	struct host_sleeper *self = host(sleeper);
	int r;

	self->state_fd = open_attribute(self, "state", O_RDWR);
	if (self->state_fd < 0) {
		r = error_set(error, self->state_fd, "cannot open %s/power/state: %s", self->sys,
			      strerror(-self->state_fd));
		error_mark(error, -ENOENT, OUTCOME_UNSUPPORTED);
		error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
		return r;
	}
	r = check_offers_s3(self, error);
	if (r < 0)
		return r;
	self->success_fd = open_attribute(self, "suspend_stats/success", O_RDONLY);
	self->successes = read_successes(self);
	self->slept_before_us = clock_suspended_us();
	return 0;
}

/*
 * By ourselves: the file systems are synced while their backends still run,
 * and the kernel must not do it again when they are down.
 */
static int sysfs_prepare(struct sleeper *sleeper, struct error *error)
{
	struct host_sleeper *self = host(sleeper);
	int r = host_prepare(sleeper, error);
	char text[8] = "";

	if (r < 0)
		return r;
	sync();
	self->sync_fd = open_attribute(self, "sync_on_suspend", O_RDWR);
	if (self->sync_fd >= 0 && read_attribute(self->sync_fd, text, sizeof(text)) == 0 &&
	    strcmp(text, "1") == 0)
		self->sync_was_on = write(self->sync_fd, "0", 1) == 1;
	return 0;
}

static void sysfs_finish(struct sleeper *sleeper)
{
	struct host_sleeper *self = host(sleeper);

	if (self->sync_was_on && pwrite(self->sync_fd, "1", 1, 0) == 1)
		self->sync_was_on = false;
}

/* Two clocks tell it, so that it can seem to go back; see SLEEP_MIN_US. */
static uint64_t slept_between_us(uint64_t before_us, uint64_t now_us)
{
	return now_us > before_us ? now_us - before_us : 0;
}

/* Since prepare(). */
static uint64_t slept_meanwhile_us(const struct host_sleeper *self)
{
	return slept_between_us(self->slept_before_us, clock_suspended_us());
}

/*
 * What the sleep came to. The kernel counts a success only after it has let
 * processes run again: who asks at once goes by the clocks.
 */
static int account_for_sleep(struct host_sleeper *self, uint64_t slept_us, uint64_t *ret_slept_us,
			     struct error *error)
{
	if (slept_us < SLEEP_MIN_US &&
	    (self->success_fd < 0 || read_successes(self) == self->successes))
		return error_set(
			error, -ECANCELED,
			"the host did not sleep: the kernel gave up (see the kernel's log: journalctl -k)");
	*ret_slept_us = slept_us;
	return 0;
}

static int say_lid_was_opened(struct error *error)
{
	return error_replace(error, -ECANCELED, "%s", LID_WAS_OPENED);
}

static int sysfs_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
		       struct error *error)
{
	struct host_sleeper *self = host(sleeper);

	(void)loop;
	if (lid_was_opened(sleeper->lid))
		return say_lid_was_opened(error);
	if (write(self->state_fd, "mem", 3) != 3)
		return error_set(error, -errno, "the kernel refused to sleep: %s", strerror(errno));
	return account_for_sleep(self, slept_meanwhile_us(self), ret_slept_us, error);
}

static void tell_manager(const struct host_sleeper *self, const char *text)
{
	if (self->socket_fd < 0)
		sd_notify(0, text);
	else
		send(self->socket_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * Whoever hibernates writes dom0's memory, and switches off with it what Xen
 * holds for everybody else.
 */
static int check_is_no_hibernation(const struct host_sleeper *self, struct error *error)
{
	struct sleep_job job;

	if (!self->manager || self->manager->ops->get_state(self->manager, &job) < 0)
		return 0;
	if (job.kind == SLEEP_KIND_NONE || job.kind == SLEEP_KIND_SUSPEND)
		return 0;
	return error_refuse(
		error, OUTCOME_UNSUPPORTED,
		"%s was asked for, but a Xen host cannot hibernate: every guest's memory would be lost; use 'systemctl suspend' instead",
		sleep_kind_unit(job.kind));
}

/* The bus is needed only for the lid, and no sleep fails for want of it. */
static int systemd_prepare(struct sleeper *sleeper, struct error *error)
{
	struct host_sleeper *self = host(sleeper);
	int r = check_is_no_hibernation(self, error);

	if (r == 0)
		r = host_prepare(sleeper, error);
	if (r == 0 && sleeper->lid)
		sd_bus_open_system(&self->bus);
	return r;
}

/*
 * A host that has slept is woken by its lid. The kernel's counter knows of
 * suspends only; a hibernation shows by the clocks, which a suspend that failed
 * late moves by milliseconds.
 */
static bool lid_calls_off(struct host_sleeper *self)
{
	return lid_was_opened(self->sleeper.lid) && read_successes(self) == self->successes &&
	       slept_meanwhile_us(self) < SLEEP_MIN_US;
}

static int systemd_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
			 struct error *error)
{
	struct host_sleeper *self = host(sleeper);
	struct sleep_manager *manager = self->manager;
	uint64_t slept_before_us = manager ? manager->ops->slept_us(manager) : 0;
	bool called_off = false;
	uint64_t slept_us;
	int r = 0;

	if (lid_was_opened(sleeper->lid))
		return say_lid_was_opened(error);
	tell_manager(self, "READY=1\nSTATUS=Guests are down; the host may sleep.");
	do {
		r = loop->ops->wait(loop, LOOP_FOREVER);
		if (r < 0)
			return error_set(error, r, "cannot wait: %s", strerror(-r));
		/*
		 * Guests that ran while the host sleeps would wake without
		 * their devices: they stay down until systemd says that the
		 * sleep is over, called off or not.
		 */
		if (!called_off && self->bus && lid_calls_off(self)) {
			sleep_jobs_call_off(self->bus, loop_event(loop));
			called_off = true;
		}
	} while (!loop_take_signal(loop));
	/* Our unit may be gone, and the host about to sleep all the same. */
	if (manager)
		r = manager->ops->await_end(manager, loop, slept_before_us);
	if (r < 0)
		return error_set(error, r, "cannot wait: %s", strerror(-r));
	tell_manager(self, "STOPPING=1\nSTATUS=Bringing guests back.\n"
			   "EXTEND_TIMEOUT_USEC=" COMING_BACK_US);
	slept_us = manager ? slept_between_us(slept_before_us, manager->ops->slept_us(manager))
			   : slept_meanwhile_us(self);
	r = account_for_sleep(self, slept_us, ret_slept_us, error);
	return r == -ECANCELED && called_off ? say_lid_was_opened(error) : r;
}

static void nothing_to_finish(struct sleeper *sleeper)
{
	(void)sleeper;
}

static const struct sleeper_ops sysfs_ops = {
	.free = host_free,
	.prepare = sysfs_prepare,
	.enter = sysfs_enter,
	.finish = sysfs_finish,
};

static const struct sleeper_ops systemd_ops = {
	.free = host_free,
	.prepare = systemd_prepare,
	.enter = systemd_enter,
	.finish = nothing_to_finish,
};

static int host_new(const struct sleeper_ops *ops, const char *sys, struct sleeper **ret_sleeper)
{
	struct host_sleeper *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	*self = (struct host_sleeper){
		.sleeper.ops = ops,
		.sys = strdup(sys),
		.state_fd = -EBADF,
		.success_fd = -EBADF,
		.sync_fd = -EBADF,
		.socket_fd = -EBADF,
	};
	if (!self->sys) {
		host_free(&self->sleeper);
		return -ENOMEM;
	}
	*ret_sleeper = &self->sleeper;
	return 0;
}

int sleeper_sysfs_new(const char *sys, struct sleeper **ret_sleeper)
{
	return host_new(&sysfs_ops, sys, ret_sleeper);
}

int sleeper_systemd_new(const char *sys, int socket_fd, struct sleep_manager *manager,
			struct sleeper **ret_sleeper)
{
	int r = host_new(&systemd_ops, sys, ret_sleeper);

	if (r < 0)
		return r;
	host(*ret_sleeper)->socket_fd = socket_fd;
	host(*ret_sleeper)->manager = manager;
	return 0;
}
