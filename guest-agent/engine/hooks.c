/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/hooks.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The exit status of a hook's child process if the hook's path is too long. A shell exits
 * with the same status if it cannot execute a program.
 */
#define STATUS_NOT_EXECUTED 126

static int is_plain_name(const struct dirent *entry)
{
	return strpbrk(entry->d_name, ".~#") == NULL;
}

static bool is_executable(const struct roots *roots, const char *name)
{
	char path[FILE_PATH_MAX];

	return strlen(name) < 100 && file_path(path, "%s/suspend.d/%s", roots->etc, name) == 0 &&
	       access(path, X_OK) == 0;
}

int hook_list_read(struct hook_list *ret, const struct roots *roots)
{
	struct hook_list list = { 0 };
	char path[FILE_PATH_MAX];
	struct dirent **entries;
	int r = file_path(path, "%s/suspend.d", roots->etc);
	int n;

	assert(ret);
	*ret = list;
	if (r < 0)
		return r;
	n = scandir(path, &entries, is_plain_name, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	list.names = calloc((size_t)n + 1, sizeof(*list.names));
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (r == 0 && list.names && is_executable(roots, name)) {
			list.names[list.n_names] = strdup(name);
			if (list.names[list.n_names])
				list.n_names++;
			else
				r = -ENOMEM;
		}
		free(entries[i]);
	}
	free(entries);
	if (!list.names)
		r = -ENOMEM;
	if (r < 0)
		hook_list_done(&list);
	else
		*ret = list;
	return r;
}

void hook_list_done(struct hook_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n_names; i++)
		free(list->names[i]);
	free(list->names);
	*list = (struct hook_list){ 0 };
}

static void hook_body(void *data, struct task_report *report)
{
	const struct hook_run *run = data;
	char path[FILE_PATH_MAX], cycle[32];

	if (file_path(path, "%s/suspend.d/%s", run->roots->etc, run->name) < 0)
		_exit(STATUS_NOT_EXECUTED);
	snprintf(cycle, sizeof(cycle), "%" PRIu64, run->cycle);
	setenv("PMCOORD_CYCLE", cycle, 1);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_FDS");
	execl(path, run->name, run->verb, (char *)NULL);
	report->r = -errno;
	snprintf(report->text, sizeof(report->text), "cannot be executed: %s", strerror(errno));
}

int hook_start(sd_event *event, struct hook_run *run, uint64_t timeout_us, task_done_fn done,
	       void *userdata, struct task **ret)
{
	struct task_spec spec = {
		.name = "hook",
		.body = hook_body,
		.data = run,
		.timeout_us = timeout_us,
		.done = done,
		.userdata = userdata,
	};

	assert(run->roots && run->name && run->verb);

	return task_start(event, &spec, ret);
}
