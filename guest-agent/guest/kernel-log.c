/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/kernel-log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"

/* The maximum length of a record of /dev/kmsg: CONSOLE_EXT_LOG_MAX of the kernel. */
#define RECORD_MAX 8192

struct kernel_log {
	int fd;
	sd_event_source *source;
	kernel_refused_fn refused;
	void *userdata;
	char record[RECORD_MAX + 1];
};

#define DRIVER_PREFIX "xen:manage: "
#define FUNCTION_PREFIX "do_suspend: "

/*
 * Returns the kernel's message in a record about a failed suspend, NULL for other records.
 * The message of "3,1234,56789,-;xen:manage: do_suspend: freeze processes failed -16\n…"
 * is "freeze processes failed -16". Modifies `record`.
 */
static char *find_refusal(char *record)
{
	char *message = strchr(record, ';');

	if (!message || strncmp(message + 1, DRIVER_PREFIX, strlen(DRIVER_PREFIX)) != 0)
		return NULL;
	message += 1 + strlen(DRIVER_PREFIX);
	message[strcspn(message, "\n")] = '\0';
	if (strncmp(message, FUNCTION_PREFIX, strlen(FUNCTION_PREFIX)) == 0)
		message += strlen(FUNCTION_PREFIX);
	return strstr(message, "failed") || strstr(message, "dpm_suspend") ? message : NULL;
}

static int on_records(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct kernel_log *log = userdata;
	char *message;
	ssize_t n;

	(void)source;
	(void)revents;
	n = read(fd, log->record, RECORD_MAX);
	/* EPIPE: records were overwritten before they were read, and are skipped. */
	if (n <= 0)
		return 0;
	log->record[n] = '\0';
	message = find_refusal(log->record);
	if (message)
		log->refused(log->userdata, message);
	return 0;
}

int kernel_log_watch(sd_event *event, const struct roots *roots, kernel_refused_fn refused,
		     void *userdata, struct kernel_log **ret)
{
	char path[FILE_PATH_MAX];
	struct kernel_log *log;
	int r;

	assert(event && roots && refused && ret);
	r = file_path(path, "%s/kmsg", roots->dev);
	if (r < 0)
		return r;
	log = calloc(1, sizeof(*log));
	if (!log)
		return -ENOMEM;
	log->refused = refused;
	log->userdata = userdata;
	log->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	r = log->fd < 0 ? -errno : 0;
	if (r == 0) {
		/* Earlier records are skipped, because they are not about this cycle. */
		(void)lseek(log->fd, 0, SEEK_END);
		r = sd_event_add_io(event, &log->source, log->fd, EPOLLIN, on_records, log);
	}
	if (r < 0) {
		kernel_log_free(log);
		return r;
	}
	*ret = log;
	return 0;
}

void kernel_log_free(struct kernel_log *log)
{
	if (!log)
		return;
	sd_event_source_disable_unref(log->source);
	closep(&log->fd);
	free(log);
}
