/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sleeper-host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "pmcoord/error.h"
#include "base/directory.h"
#include "model/loop.h"
#include "host/attribute.h"
#include "host/lid.h"
#include "host/loop-event.h"
#include "host/roots.h"
#include "host/sleep-conf.h"
#include "host/sleep-jobs.h"
#include "host/sleep-manager-systemd.h"

/*
 * How long systemd waits for the resume of the guests, in µs: one hour (the longest
 * ReadyTimeout=) plus 100 s for everything else.
 */
#define RESUME_TIMEOUT_US "3700000000"

struct host_sleeper {
	struct sleeper sleeper;
	char *sys;
	const char *systemd_root; /* borrowed; NULL: systemd does not put the host to sleep */
	int state_fd; /* power/state, opened before any guest is suspended */
	int success_fd; /* power/suspend_stats/success, a counter */
	int fail_fd; /* power/suspend_stats/fail, a counter */
	int mem_sleep_fd; /* power/mem_sleep; negative: none, so that "mem" is S3 */
	int sync_fd; /* power/sync_on_suspend; negative: none */
	bool sync_was_on;
	uint64_t successes, failures; /* the counters, read by prepare() */
	int socket_fd; /* for the notifications; negative: sd_notify(3) is used */
	struct sleep_manager *manager; /* borrowed, may be NULL */
	uint64_t slept_before_us; /* slept time since boot, read by prepare() */
	sd_bus *bus; /* to cancel systemd's sleep jobs; may be NULL */
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
	closep(&self->fail_fd);
	closep(&self->mem_sleep_fd);
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

/*
 * Fails if the host has no S3. Otherwise chooses "deep" in power/mem_sleep, so that
 * "mem" in power/state means S3.
 */
static int check_offers_s3(struct host_sleeper *self, struct error *error)
{
	char text[128];
	int r = attribute_read(self->state_fd, text, sizeof(text));

	if (r < 0)
		return error_set(error, r, "cannot read %s/power/state: %s", self->sys,
				 strerror(-r));
	if (!strstr(text, "mem"))
		return error_refuse(
			error, OUTCOME_UNSUPPORTED,
			"this host offers no suspend to RAM (%s/power/state is '%s', without 'mem'): enable S3 in the firmware's setup",
			self->sys, text);
	self->mem_sleep_fd = open_attribute(self, "mem_sleep", O_RDWR);
	if (self->mem_sleep_fd < 0 || attribute_read(self->mem_sleep_fd, text, sizeof(text)) < 0)
		return 0; /* without mem_sleep, "mem" is S3 */
	if (strstr(text, "[deep]"))
		return 0;
	if (strstr(text, "deep")) {
		if (write(self->mem_sleep_fd, "deep", 4) == 4)
			return 0;
		return error_set(error, -errno, "cannot choose S3 in %s/power/mem_sleep: %s",
				 self->sys, strerror(errno));
	}
	return error_refuse(
		error, OUTCOME_UNSUPPORTED,
		"this host offers no S3 (%s/power/mem_sleep is '%s'), and dom0 cannot wake from s2idle under Xen: enable S3 in the firmware's setup",
		self->sys, text);
}

/* Returns 0 if there is no such counter. */
static uint64_t read_counter(int fd)
{
	uint64_t value = 0;

	if (fd >= 0)
		attribute_read_number(fd, &value);
	return value;
}

static uint64_t read_successes(const struct host_sleeper *self)
{
	return read_counter(self->success_fd);
}

/*
 * Sets the state in which the host has slept. If the kernel has refused a sleep before, another
 * program may have chosen another state for the next attempt, which counts as a success, too.
 */
static void note_state(struct host_sleeper *self)
{
	char text[128], *ret = self->sleeper.state;
	const char *chosen;

	ret[0] = '\0';
	if (read_counter(self->fail_fd) != self->failures)
		return;
	if (self->mem_sleep_fd < 0 || attribute_read(self->mem_sleep_fd, text, sizeof(text)) < 0) {
		snprintf(ret, sizeof(self->sleeper.state), "%s", SLEEP_STATE_S3);
		return;
	}
	chosen = strchr(text, '[');
	if (chosen)
		snprintf(ret, sizeof(self->sleeper.state), "%.*s", (int)strcspn(chosen + 1, "]"),
			 chosen + 1);
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
	self->fail_fd = open_attribute(self, "suspend_stats/fail", O_RDONLY);
	self->failures = read_counter(self->fail_fd);
	self->slept_before_us = clock_suspended_us();
	return 0;
}

/* The note that power/sync_on_suspend was on, and was switched off. */
#define SYNC_NOTE "sync-was-on"

static char *note_path(const char *run)
{
	char *path;

	return asprintf(&path, "%s/" SYNC_NOTE, run) < 0 ? NULL : path;
}

/* If this fails, only finish() can switch the sync on again. */
static void write_note(const char *run)
{
	_cleanup_(freep) char *path = run ? note_path(run) : NULL;
	_cleanup_(closep) int fd = -EBADF;

	if (path && directory_make(run) == 0)
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
}

static void remove_note(const char *run)
{
	_cleanup_(freep) char *path = run ? note_path(run) : NULL;

	if (path)
		unlink(path);
}

static void undo_sync(const char *sys, const char *run)
{
	_cleanup_(freep) char *note = note_path(run);
	_cleanup_(freep) char *attribute = NULL;
	_cleanup_(closep) int fd = -EBADF;

	if (!note || access(note, F_OK) < 0 ||
	    asprintf(&attribute, "%s/power/sync_on_suspend", sys) < 0)
		return;
	fd = open(attribute, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) == 1)
		unlink(note);
}

void sleeper_undo_changes(const struct roots *roots)
{
	assert(roots);
	undo_sync(roots->sys, roots->run);
	sleep_conf_release(roots->systemd);
}

/*
 * Syncs the file systems while their backends still run. Switches the kernel's own
 * sync off, because it would wait for the suspended backends.
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
	if (self->sync_fd < 0 || attribute_read(self->sync_fd, text, sizeof(text)) < 0 ||
	    strcmp(text, "1") != 0)
		return 0;
	write_note(sleeper->run);
	self->sync_was_on = write(self->sync_fd, "0", 1) == 1;
	if (!self->sync_was_on)
		remove_note(sleeper->run);
	return 0;
}

static void sysfs_finish(struct sleeper *sleeper)
{
	struct host_sleeper *self = host(sleeper);

	if (!self->sync_was_on || pwrite(self->sync_fd, "1", 1, 0) != 1)
		return;
	self->sync_was_on = false;
	remove_note(sleeper->run);
}

/*
 * Returns now_us - before_us, or 0 if the difference is negative. Slept times can
 * decrease slightly, because each is computed from two clocks (see SLEEP_MIN_US).
 */
static uint64_t difference_us(uint64_t before_us, uint64_t now_us)
{
	return now_us > before_us ? now_us - before_us : 0;
}

static uint64_t slept_since_prepare_us(const struct host_sleeper *self)
{
	return difference_us(self->slept_before_us, clock_suspended_us());
}

/*
 * Returns 0 if the host has slept, else -ECANCELED. Does not rely on the kernel's
 * counter alone: the kernel thaws processes before it increments the counter.
 */
static int check_has_slept(struct host_sleeper *self, uint64_t slept_us, uint64_t *ret_slept_us,
			   struct error *error)
{
	if (slept_us < SLEEP_MIN_US &&
	    (self->success_fd < 0 || read_successes(self) == self->successes))
		return error_set(
			error, -ECANCELED,
			"the host did not sleep: the kernel aborted the suspend; see journalctl -k");
	*ret_slept_us = slept_us;
	note_state(self);
	return 0;
}

static int report_lid_opened(struct error *error)
{
	return error_replace(error, -ECANCELED, "%s", LID_WAS_OPENED);
}

static int sysfs_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
		       struct error *error)
{
	struct host_sleeper *self = host(sleeper);

	(void)loop;
	if (lid_was_opened(sleeper->lid))
		return report_lid_opened(error);
	if (write(self->state_fd, "mem", 3) != 3)
		return error_set(
			error, -errno,
			"the host did not sleep: the kernel refused (%s); see journalctl -k",
			strerror(errno));
	return check_has_slept(self, slept_since_prepare_us(self), ret_slept_us, error);
}

static void notify_manager(const struct host_sleeper *self, const char *text)
{
	if (self->socket_fd < 0)
		sd_notify(0, text);
	else
		send(self->socket_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * Refuses a hibernation. A hibernation saves only dom0's memory, and then powers the
 * host off, so that the memory of all guests is lost.
 */
static int refuse_hibernation(const struct host_sleeper *self, struct error *error)
{
	struct sleep_job job;

	if (!self->manager || self->manager->ops->get_state(self->manager, &job) < 0)
		return 0;
	if (job.kind == SLEEP_KIND_NONE || job.kind == SLEEP_KIND_SUSPEND)
		return 0;
	return error_refuse(
		error, OUTCOME_UNSUPPORTED,
		"%s was requested, but a Xen host cannot hibernate: every guest's memory would be lost; use 'systemctl suspend' instead",
		sleep_kind_unit(job.kind));
}

/*
 * Refuses a hibernation, then prepares the sleep, and leaves systemd nothing but S3. Also opens the
 * bus, to cancel the sleep if the lid is opened. The host can sleep without the bus, so a failure
 * to open it is ignored.
 */
static int systemd_prepare(struct sleeper *sleeper, struct error *error)
{
	struct host_sleeper *self = host(sleeper);
	int r = refuse_hibernation(self, error);

	if (r == 0)
		r = host_prepare(sleeper, error);
	if (r == 0)
		r = sleep_conf_restrict(self->systemd_root, error);
	if (r == 0 && sleeper->lid)
		sd_bus_open_system(&self->bus);
	return r;
}

/*
 * Whether the lid was opened and the host has not slept yet. If the host has slept,
 * the opened lid only woke the host.
 *
 * A sleep is recognised by the kernel's counter and by the clocks. Every successful
 * suspend, however short, changes the counter. A hibernation changes only the clocks.
 * A failed suspend changes only the clocks, too, but by less than SLEEP_MIN_US.
 */
static bool lid_cancels_sleep(struct host_sleeper *self)
{
	return lid_was_opened(self->sleeper.lid) && read_successes(self) == self->successes &&
	       slept_since_prepare_us(self) < SLEEP_MIN_US;
}

static int systemd_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
			 struct error *error)
{
	struct host_sleeper *self = host(sleeper);
	struct sleep_manager *manager = self->manager;
	uint64_t slept_before_us = manager ? manager->ops->slept_us(manager) : 0;
	bool was_cancelled = false;
	uint64_t slept_us;
	int r = 0;

	if (lid_was_opened(sleeper->lid))
		return report_lid_opened(error);
	notify_manager(self, "READY=1\nSTATUS=Guests are suspended; the host may sleep.");
	do {
		r = loop->ops->wait(loop, LOOP_FOREVER);
		if (r < 0)
			return error_set(error, r, "cannot wait for the host's sleep: %s",
					 strerror(-r));
		/*
		 * After the cancellation the guests stay suspended until systemd
		 * has ended the sleep. Until then the host may still sleep, and a
		 * guest that runs would lose its devices.
		 */
		if (!was_cancelled && self->bus && lid_cancels_sleep(self)) {
			sleep_jobs_cancel(self->bus, loop_event(loop));
			was_cancelled = true;
		}
	} while (!loop_take_signal(loop));
	/*
	 * Wait for the end of the sleep, because the signal can arrive before the
	 * sleep, e.g. if a user stops the unit.
	 */
	if (manager)
		r = manager->ops->await_end(manager, loop, slept_before_us);
	if (r < 0)
		return error_set(error, r, "cannot wait for the end of the host's sleep: %s",
				 strerror(-r));
	notify_manager(self, "STOPPING=1\nSTATUS=Resuming guests.\n"
			     "EXTEND_TIMEOUT_USEC=" RESUME_TIMEOUT_US);
	slept_us = manager ? difference_us(slept_before_us, manager->ops->slept_us(manager))
			   : slept_since_prepare_us(self);
	r = check_has_slept(self, slept_us, ret_slept_us, error);
	return r == -ECANCELED && was_cancelled ? report_lid_opened(error) : r;
}

static void systemd_finish(struct sleeper *sleeper)
{
	sleep_conf_release(host(sleeper)->systemd_root);
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
	.finish = systemd_finish,
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
		.fail_fd = -EBADF,
		.mem_sleep_fd = -EBADF,
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
	assert(sys && ret_sleeper);
	return host_new(&sysfs_ops, sys, ret_sleeper);
}

int sleeper_systemd_new(const char *sys, const char *systemd_root, int socket_fd,
			struct sleep_manager *manager, struct sleeper **ret_sleeper)
{
	int r;

	assert(sys && systemd_root && ret_sleeper);
	r = host_new(&systemd_ops, sys, ret_sleeper);
	if (r < 0)
		return r;
	host(*ret_sleeper)->socket_fd = socket_fd;
	host(*ret_sleeper)->manager = manager;
	host(*ret_sleeper)->systemd_root = systemd_root;
	return 0;
}
