/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/task.h"
#include "pmcoord/segments.h"

/* The time limit of the child process that warm_up() starts. */
#define WARM_UP_US 1000000

static void read_in(void *data, const struct segment *segment)
{
	const volatile char *start = (const char *)segment->start;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)data;
	if (segment->path[0] != '\0' && !strstr(segment->path, "/libxen"))
		return;
	for (size_t i = 0; segment->is_readable && i < segment->length; i += page)
		(void)start[i];
}

static void do_nothing(void *data, struct task_report *report)
{
	(void)data;
	(void)report;
}

static void on_done(void *userdata, const struct task_result *result)
{
	(void)result;
	*(bool *)userdata = true;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	(void)source;
	(void)event;
	(void)userdata;
	return 0;
}

/*
 * Starts a child and an inotify watch, as a cycle does, and ends both. This reads into memory
 * the code of libsystemd that a cycle needs.
 */
static int warm_up(sd_event *event)
{
	sd_event_source *watch = NULL;
	struct task *task = NULL;
	bool done = false;
	struct task_spec spec = {
		.name = "warm-up",
		.body = do_nothing,
		.timeout_us = WARM_UP_US,
		.done = on_done,
		.userdata = &done,
	};
	int r = sd_event_add_inotify(event, &watch, "/", IN_DELETE_SELF, on_inotify, NULL);

	if (r >= 0)
		r = task_start(event, &spec, &task);
	while (r >= 0 && !done)
		r = sd_event_run(event, WARM_UP_US);
	task_free(task);
	sd_event_source_disable_unref(watch);
	return r < 0 ? r : 0;
}

int memory_lock(sd_event *event)
{
	int r;

	assert(event);
	r = warm_up(event);
	segments_each(read_in, NULL);
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return -errno;
	return r;
}
