/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devices/open-files.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct walk {
	const struct roots *roots;
	open_file_fn take;
	void *data;
	const char *pid;
	/*
	 * The path of the previous file (PATH_MAX bytes). A file with the same path is skipped,
	 * because a library is mapped several times in a row.
	 */
	char *last;
	int failure; /* negative errno if a process's files could not be read, else 0 */
};

/* Whether `r` means that an entry of /proc is gone: the process has ended or closed the file. */
static bool is_gone(int r)
{
	return r == -ENOENT || r == -ESRCH;
}

static int take_link(void *data, int directory, const char *name)
{
	const struct walk *walk = data;
	char target[PATH_MAX];
	struct open_file file = { .pid = walk->pid, .target = target };
	ssize_t n = readlinkat(directory, name, target, sizeof(target) - 1);
	int r;

	if (n < 0)
		return is_gone(-errno) ? 0 : -errno;
	target[n] = '\0';
	if (target[0] == '/' && strcmp(target, walk->last) == 0)
		return 0;
	/* Sockets and pipes have no path. */
	r = target[0] == '/' ? file_device(directory, name, &file.device) : 0;
	if (r < 0 && !is_gone(r))
		return r;
	if (r >= 0)
		strcpy(walk->last, target);
	file.is_device = r == 1;
	return walk->take(walk->data, &file);
}

/*
 * Walks the files in one table ("fd" or "map_files") of a process or thread. Returns what
 * `take` returned, or 0; records a failure in walk->failure.
 */
static int take_files(struct walk *walk, const char *name, const char *table)
{
	char path[FILE_PATH_MAX];
	int r = file_path(path, "%s/%s/%s", walk->roots->proc, name, table);

	walk->last[0] = '\0';
	if (r == 0)
		r = directory_each(path, take_link, walk);
	if (r < 0 && !is_gone(r))
		walk->failure = r;
	return r < 0 ? 0 : r;
}

static int take_thread(void *data, int directory, const char *name)
{
	struct walk *walk = data;
	char thread[64];

	(void)directory;
	/* The first thread is skipped, because its file table is the one of the process. */
	if (strcmp(name, walk->pid) == 0)
		return 0;
	snprintf(thread, sizeof(thread), "%.16s/task/%.16s", walk->pid, name);
	return take_files(walk, thread, "fd");
}

static int take_process(void *data, int directory, const char *name)
{
	struct walk *walk = data;
	char path[FILE_PATH_MAX];
	int r;

	(void)directory;
	if (!isdigit((unsigned char)name[0]))
		return 0;
	walk->pid = name;
	r = take_files(walk, name, "fd");
	if (r == 0)
		r = take_files(walk, name, "map_files");
	if (r != 0)
		return r;
	r = file_path(path, "%s/%s/task", walk->roots->proc, name);
	if (r == 0)
		r = directory_each(path, take_thread, walk);
	if (r < 0 && !is_gone(r))
		walk->failure = r;
	return r < 0 ? 0 : r;
}

int open_files_each(const struct roots *roots, open_file_fn take, void *data)
{
	char last[PATH_MAX];
	struct walk walk = {
		.roots = roots,
		.take = take,
		.data = data,
		.last = last,
	};
	int r;

	assert(roots && take);
	r = directory_each(roots->proc, take_process, &walk);
	return r != 0 ? r : walk.failure;
}
