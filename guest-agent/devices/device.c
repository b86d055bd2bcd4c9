/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/device.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "guest/task.h"
#include "net/netlink.h"
#include "net/rfkill.h"
#include "devices/disks.h"

/*
 * The pauses before the second, third, … try of a start. The first ones are short, because
 * some devices become ready soon. A device that fails after the last pause is lost.
 */
static const uint64_t pauses_us[] = { 100000, 400000, 1000000, 3000000, 6000000 };

/* The number of failed tries after which the function is reset before each further try. */
#define RESET_AFTER_TRIES 2

/*
 * The maximum time that a try waits for network interfaces. Loading firmware takes seconds,
 * and finding USB adapters takes two or three seconds.
 */
#define LINKS_WAIT_US 6000000ull

/*
 * The wait for network interfaces ends this long before the time limit of a start, so
 * that the child can still send its report.
 */
#define REPORT_TIME_US 200000ull

/* Why an unbind that has not ended in time has failed. */
#define DRIVER_HANGS "cannot be unbound: the driver hangs"

const struct device_ops device_ops_of_system = {
	.modprobe = "/sbin/modprobe",
	.write = file_write,
	.links_list = links_list,
	.links_save = links_save,
	.links_down = links_down,
	.links_restore = links_restore,
};

struct device {
	const struct device_context *context;
	char address[16];
	char driver[64];
	char links[64];
	struct rfkill_state radios;
	char text[TASK_TEXT_MAX];
	enum device_state state;
	struct task *task;
	sd_event_source *timer; /* for the next try, or the time limit of a stop that hangs */
	unsigned int tries; /* failed tries of the start */
	bool start_wanted; /* device_start() was called */
	bool late; /* was reported as lost; `done` is not called again */
	uint64_t start_us;
	uint64_t end_us; /* when the start ended; 0 before */
	device_done_fn done;
	void *userdata;
};

static bool is_bound(const struct roots *roots, const char *address)
{
	return file_exists("%s/bus/pci/devices/%s/driver", roots->sys, address);
}

/* ---- In the child ---- */

/* Writes to <sys>/bus/pci/<kind>/<name>/<attribute>. Returns 0 or negative errno. */
static int write_attribute(const struct device *device, const char *kind, const char *name,
			   const char *attribute, const char *text)
{
	const struct device_context *context = device->context;
	char path[FILE_PATH_MAX];
	int r = file_path(path, "%s/bus/pci/%s/%s/%s", context->roots->sys, kind, name, attribute);

	return r < 0 ? r : context->ops->write(path, text);
}

/*
 * Reads again how the PCI function's disks are used, because a disk may have been mounted
 * after the inventory was read. Returns the same as usage_find_disk(), or DISK_UNKNOWN if
 * nothing could be read.
 */
static enum disk_use find_use(const struct device *device, char *ret, size_t size)
{
	const struct device_context *context = device->context;
	char path[FILE_PATH_MAX], directory[PATH_MAX];
	enum disk_use use = DISK_UNKNOWN;
	struct usage usage;

	if (file_path(path, "%s/bus/pci/devices/%s", context->roots->sys, device->address) < 0 ||
	    !realpath(path, directory) ||
	    usage_read(&usage, context->roots, directory, context->claimed) < 0)
		return use;
	use = usage_find_disk(&usage, directory, ret, size);
	usage_done(&usage);
	return use;
}

static void stop_body(void *data, struct task_report *report)
{
	const struct device *device = data;
	const struct device_context *context = device->context;
	char use[160];
	int r;

	if (find_use(device, use, sizeof(use)) == DISK_IN_USE) {
		report->r = -EBUSY;
		snprintf(report->text, sizeof(report->text), "is in use now: %s", use);
		return;
	}
	/*
	 * The child saves the links, not the agent. Saving needs the kernel's rtnl lock, which a
	 * driver that hangs may hold.
	 */
	r = context->ops->links_save(context->roots, device->address);
	if (r < 0) {
		report->r = r;
		snprintf(report->text, sizeof(report->text),
			 "cannot be unbound, because its interfaces cannot be saved: %s",
			 strerror(-r));
		return;
	}
	context->ops->links_down(context->roots, device->address);
	r = write_attribute(device, "devices", device->address, "driver/unbind", device->address);
	/* Not a failure if another program has unbound the driver. */
	if (r < 0 && !is_bound(context->roots, device->address))
		r = 0;
	report->r = r;
	if (r < 0)
		snprintf(report->text, sizeof(report->text), "cannot be unbound: %s", strerror(-r));
}

static int bind_driver(const struct device *device)
{
	const struct device_context *context = device->context;
	int r;

	if (is_bound(context->roots, device->address))
		return 0;
	r = write_attribute(device, "drivers", device->driver, "bind", device->address);
	/* Not a failure if the driver has just been bound because its module was loaded. */
	if (r < 0 && is_bound(context->roots, device->address))
		r = 0;
	return r;
}

/*
 * Prepares a try after a failed one. Does nothing if the driver is bound and a disk of the
 * PCI function is or may be in use. Otherwise:
 *   - unbinds the driver, if it is bound although the try failed;
 *   - compacts memory if `compact_memory` is set, because large allocations often fail after
 *     a long uptime;
 *   - resets the PCI function, from the third try on.
 */
static void prepare_try(const struct device *device)
{
	const struct device_context *context = device->context;
	bool bound = is_bound(context->roots, device->address);
	char path[FILE_PATH_MAX], use[160];

	if (device->tries == 0 || (bound && find_use(device, use, sizeof(use)) != DISK_UNUSED))
		return;
	if (bound)
		(void)write_attribute(device, "devices", device->address, "driver/unbind",
				      device->address);
	if (context->compact_memory &&
	    file_path(path, "%s/sys/vm/compact_memory", context->roots->proc) == 0)
		(void)context->ops->write(path, "1");
	/* A failure is ignored: not every function can be reset, and the bind may still succeed. */
	if (device->tries >= RESET_AFTER_TRIES)
		(void)write_attribute(device, "devices", device->address, "reset", "1");
}

static uint64_t start_deadline_us(const struct device *device)
{
	return device->start_us + device->context->start_timeout_us;
}

static uint64_t links_deadline_us(const struct device *device)
{
	uint64_t wait_us = clock_now_us() + LINKS_WAIT_US;
	uint64_t end_us = start_deadline_us(device) - REPORT_TIME_US;

	return wait_us < end_us ? wait_us : end_us;
}

static void start_body(void *data, struct task_report *report)
{
	const struct device *device = data;
	const struct device_context *context = device->context;
	struct netlink monitor = { .fd = -1 };
	int r;

	/* The monitor is opened before the driver creates interfaces, so that it misses none. */
	r = netlink_open(&monitor, RTMGRP_LINK);
	if (r < 0) {
		report->r = r;
		return;
	}
	prepare_try(device);
	r = bind_driver(device);
	if (r < 0)
		snprintf(report->text, sizeof(report->text), "cannot bind %s: %s", device->driver,
			 r == -ENOENT ? "the driver is not loaded" : strerror(-r));
	else
		r = context->ops->links_restore(context->roots, device->address, &monitor,
						links_deadline_us(device), report->text,
						sizeof(report->text));
	if (r == 0)
		rfkill_restore(context->roots, device->address, &device->radios,
			       context->ops->write);
	report->r = r;
	if (r < 0 && report->text[0] == '\0')
		snprintf(report->text, sizeof(report->text), "%s", strerror(-r));
}

/* ---- In the agent ---- */

int device_new(const struct device_context *context, const char *address, const char *driver,
	       struct device **ret)
{
	struct device *device = calloc(1, sizeof(*device));

	assert(context && address && driver);
	assert(ret);
	if (!device)
		return -ENOMEM;
	device->context = context;
	snprintf(device->address, sizeof(device->address), "%s", address);
	snprintf(device->driver, sizeof(device->driver), "%s", driver);
	*ret = device;
	return 0;
}

static void list_links(struct device *device)
{
	if (device->context->ops->links_list(device->context->roots, device->address, device->links,
					     sizeof(device->links)) < 0)
		device->links[0] = '\0';
}

static void finish(struct device *device, enum device_state state, int r)
{
	bool late = device->late;

	device->state = state;
	device->late = late || state == DEVICE_LOST;
	if (state == DEVICE_RESTORED || state == DEVICE_LOST)
		device->end_us = clock_now_us();
	/* List the links again: they may have other names, or be in another network namespace. */
	if (state == DEVICE_RESTORED)
		list_links(device);
	if (!late)
		device->done(device->userdata, device, r);
	else
		log_line(device->context->log, LOG_LEVEL_NOTICE, "device %s %s %s", device->address,
			 device->driver,
			 r < 0 ? "remains lost" : "was restored after its time limit");
}

/* Copies the child's text, or `fallback` if the child has sent none. */
static void take_text(struct device *device, const struct task_result *result, const char *fallback)
{
	snprintf(device->text, sizeof(device->text), "%s",
		 result->silent || result->timed_out ? fallback : result->report.text);
}

static int try_start(struct device *device);

/* Starts the device. If no child process can be started, the device is lost at once. */
static void start_or_lose(struct device *device)
{
	int r = try_start(device);

	if (r < 0) {
		snprintf(device->text, sizeof(device->text),
			 "cannot start a child process to bind the driver: %s", strerror(-r));
		finish(device, DEVICE_LOST, r);
	}
}

static void on_stopped(void *userdata, const struct task_result *result)
{
	struct device *device = userdata;
	int r = result->timed_out ? -ETIMEDOUT : result->silent ? -EIO : result->report.r;

	/* A device that was reported as lost keeps the reason until its start has ended. */
	if (!device->late)
		take_text(device, result,
			  result->timed_out ? DRIVER_HANGS
					    : "cannot be unbound: the child process died");
	if (device->start_wanted && !result->timed_out) {
		start_or_lose(device);
		return;
	}
	if (device->start_wanted)
		device->state = DEVICE_STUCK;
	else
		finish(device, result->timed_out ? DEVICE_STUCK : DEVICE_STOPPED, r);
}

/* Called when an unbind has ended after its time limit. The device can be started now. */
static void on_unstuck(void *userdata)
{
	struct device *device = userdata;

	device->state = DEVICE_STOPPED;
	if (device->start_wanted)
		start_or_lose(device);
}

int device_stop(struct device *device, device_done_fn done, void *userdata)
{
	struct task_spec spec = {
		.name = "unbind",
		.body = stop_body,
		.data = device,
		.timeout_us = device->context->stop_timeout_us,
		.done = on_stopped,
		.late = on_unstuck,
		.userdata = device,
	};
	int r;

	assert(device->state == DEVICE_UP);
	assert(done);
	device->done = done;
	device->userdata = userdata;
	list_links(device);
	rfkill_save(device->context->roots, device->address, &device->radios);
	r = task_start(device->context->event, &spec, &device->task);
	if (r == 0)
		device->state = DEVICE_STOPPING;
	return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct device *device = userdata;

	(void)source;
	(void)usec;
	device->timer = sd_event_source_disable_unref(device->timer);
	if (device->state == DEVICE_WAITING) {
		start_or_lose(device);
		return 0;
	}
	/* In any other state, device_start() has set the timer: the unbind still hangs. */
	snprintf(device->text, sizeof(device->text), "%s", DRIVER_HANGS);
	finish(device, DEVICE_LOST, -ETIMEDOUT);
	return 0;
}

static int set_timer(struct device *device, uint64_t in_us)
{
	device->timer = sd_event_source_disable_unref(device->timer);
	return sd_event_add_time_relative(device->context->event, &device->timer, CLOCK_MONOTONIC,
					  in_us, 0, on_timer, device);
}

static uint64_t time_left_us(const struct device *device)
{
	uint64_t now = clock_now_us(), end = start_deadline_us(device);

	return now < end ? end - now : 0;
}

static void try_later(struct device *device, int r)
{
	size_t i = device->tries - 1;

	if (i >= ELEMENTSOF(pauses_us) || pauses_us[i] > time_left_us(device) ||
	    set_timer(device, pauses_us[i]) < 0) {
		finish(device, DEVICE_LOST, r);
		return;
	}
	log_line(device->context->log, LOG_LEVEL_NOTICE, "device %s: %s; trying again",
		 device->address, device->text);
	device->state = DEVICE_WAITING;
}

static void on_started(void *userdata, const struct task_result *result)
{
	struct device *device = userdata;
	bool bound = is_bound(device->context->roots, device->address);
	int r = result->timed_out ? -ETIMEDOUT : result->silent ? -EIO : result->report.r;

	take_text(device, result,
		  result->timed_out ? "cannot be bound: the driver hangs"
				    : "cannot be bound: the child process died");
	if (r == 0 && !bound) {
		r = -ENODEV;
		snprintf(device->text, sizeof(device->text), "the driver %s has unbound itself",
			 device->driver);
	}
	device->tries++;
	if (r == 0)
		finish(device, DEVICE_RESTORED, 0);
	else if (result->timed_out)
		finish(device, DEVICE_LOST, r);
	else
		try_later(device, r);
}

static int try_start(struct device *device)
{
	struct task_spec spec = {
		.name = "bind",
		.body = start_body,
		.data = device,
		.timeout_us = time_left_us(device) + 1000,
		.done = on_started,
		.userdata = device,
	};

	device->timer = sd_event_source_disable_unref(device->timer);
	task_free(device->task);
	device->task = NULL;
	device->state = DEVICE_STARTING;
	return task_start(device->context->event, &spec, &device->task);
}

int device_start(struct device *device, device_done_fn done, void *userdata)
{
	bool runs = task_is_alive(device->task);

	assert(done);
	device->done = done;
	device->userdata = userdata;
	device->start_us = clock_now_us();
	device->tries = 0;
	device->late = false;
	device->start_wanted = true;
	/* If the unbind still runs, on_stopped() or on_unstuck() starts the device when it ends. */
	if (runs)
		return set_timer(device, device->context->stuck_timeout_us);
	return try_start(device);
}

enum device_state device_state(const struct device *device)
{
	return device->state;
}

const char *device_address(const struct device *device)
{
	return device->address;
}

const char *device_driver(const struct device *device)
{
	return device->driver;
}

const char *device_text(const struct device *device)
{
	return device->text;
}

const char *device_links(const struct device *device)
{
	return device->links;
}

uint64_t device_start_duration_us(const struct device *device)
{
	uint64_t end = device->end_us ? device->end_us : clock_now_us();

	return device->start_us ? end - device->start_us : 0;
}

void device_free(struct device *device)
{
	if (!device)
		return;
	sd_event_source_disable_unref(device->timer);
	task_free(device->task);
	free(device);
}
