/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/memory.h"

#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/task.h"

#define WARM_UP_US 1000000

static void touch(const volatile char *start, size_t length, size_t page)
{
	for (size_t i = 0; i < length; i += page)
		(void)start[i];
}

/* The program itself has no name here. */
static int read_in(struct dl_phdr_info *info, size_t size, void *data)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)data;
	if (info->dlpi_name[0] != '\0' && !strstr(info->dlpi_name, "/libxen"))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R))
			touch((const char *)info->dlpi_addr + segment->p_vaddr, segment->p_memsz,
			      page);
	}
	return 0;
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

/* A child and a watch, as a cycle has them. */
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
	int r = warm_up(event);

	dl_iterate_phdr(read_in, NULL);
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return -errno;
	return r;
}
