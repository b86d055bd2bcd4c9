/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sleeper-alarm.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/loop.h"
#include "host/sleeper-host.h"

/*
 * How long after enter() the alarm fires. The suspend of dom0's devices takes less
 * time than this. An alarm that fires before the host is asleep would cancel the
 * sleep, or would be missed and never wake the host.
 */
#define ALARM_IN_SECONDS "+10"

/* The text that clears the alarm when it is written to the file wakealarm. */
#define NO_ALARM "0"

struct alarm_sleeper {
	struct sleeper sleeper;
	struct sleeper *inner;
	char *path;
	int fd; /* of `path`, opened before any guest is suspended */
};

static struct alarm_sleeper *alarm_of(struct sleeper *sleeper)
{
	return (struct alarm_sleeper *)sleeper;
}

static void alarm_free(struct sleeper *sleeper)
{
	struct alarm_sleeper *self = alarm_of(sleeper);

	closep(&self->fd);
	sleeper_free(self->inner);
	free(self->path);
	free(self);
}

/*
 * Fails if an alarm is already set. The file wakealarm contains the time of a set alarm,
 * in seconds since 1970. Without an alarm, the file is empty or contains NO_ALARM.
 */
static int check_is_free(struct alarm_sleeper *self, struct error *error)
{
	char text[32] = "";
	ssize_t n = pread(self->fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return error_set(error, -errno, "cannot read %s: %s", self->path, strerror(errno));
	text[strcspn(text, "\n")] = '\0';
	if (text[0] != '\0' && strcmp(text, NO_ALARM) != 0)
		return error_refuse(
			error, OUTCOME_UNSUPPORTED,
			"the real-time clock's alarm is already set (%s: %s, in seconds since 1970): repeat this command after the alarm, or without --sleep",
			self->path, text);
	return 0;
}

static int alarm_prepare(struct sleeper *sleeper, struct error *error)
{
	struct alarm_sleeper *self = alarm_of(sleeper);
	int r;

	closep(&self->fd);
	self->fd = open(self->path, O_RDWR | O_CLOEXEC);
	if (self->fd < 0)
		return error_refuse(
			error, OUTCOME_UNSUPPORTED,
			"nothing would wake this host, because its real-time clock has no alarm (%s: %s): repeat this command without --sleep",
			self->path, strerror(errno));
	r = check_is_free(self, error);
	self->inner->lid = sleeper->lid;
	self->inner->run = sleeper->run;
	return r < 0 ? r : self->inner->ops->prepare(self->inner, error);
}

static int alarm_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
		       struct error *error)
{
	struct alarm_sleeper *self = alarm_of(sleeper);
	ssize_t length = strlen(ALARM_IN_SECONDS);
	int r;

	if (pwrite(self->fd, ALARM_IN_SECONDS, (size_t)length, 0) != length)
		return error_set(
			error, -ECANCELED,
			"the host did not sleep, because the alarm of its real-time clock cannot be set (%s: %s)",
			self->path, strerror(errno));
	r = self->inner->ops->enter(self->inner, loop, ret_slept_us, error);
	snprintf(sleeper->state, sizeof(sleeper->state), "%s", self->inner->state);
	return r;
}

static void alarm_finish(struct sleeper *sleeper)
{
	struct alarm_sleeper *self = alarm_of(sleeper);

	/* If the host did not sleep, the alarm is still set and must not fire later. */
	if (pwrite(self->fd, NO_ALARM, strlen(NO_ALARM), 0) < 0)
		fprintf(stderr,
			"pmcoord: cannot clear the real-time clock's alarm (%s: %s): it may still fire\n",
			self->path, strerror(errno));
	self->inner->ops->finish(self->inner);
}

static const struct sleeper_ops alarm_ops = {
	.free = alarm_free,
	.prepare = alarm_prepare,
	.enter = alarm_enter,
	.finish = alarm_finish,
};

int sleeper_alarm_around(struct sleeper *inner, const char *sys, struct sleeper **ret_sleeper)
{
	struct alarm_sleeper *self = calloc(1, sizeof(*self));

	assert(inner && sys && ret_sleeper);
	if (!self) {
		sleeper_free(inner);
		return -ENOMEM;
	}
	*self = (struct alarm_sleeper){
		.sleeper.ops = &alarm_ops,
		.inner = inner,
		.fd = -EBADF,
	};
	if (asprintf(&self->path, "%s/class/rtc/rtc0/wakealarm", sys) < 0) {
		self->path = NULL;
		alarm_free(&self->sleeper);
		return -ENOMEM;
	}
	*ret_sleeper = &self->sleeper;
	return 0;
}

int sleeper_alarm_new(const char *sys, struct sleeper **ret_sleeper)
{
	struct sleeper *inner;
	int r = sleeper_sysfs_new(sys, &inner);

	return r < 0 ? r : sleeper_alarm_around(inner, sys, ret_sleeper);
}
