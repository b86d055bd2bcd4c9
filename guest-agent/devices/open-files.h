/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_OPEN_FILES_H
#define GUEST_AGENT_DEVICES_OPEN_FILES_H

#include <stdbool.h>

#include "guest/files.h"

/* Lists the files that processes hold open, from /proc. */

struct open_file {
	const char *pid;
	const char *target; /* "/dev/sda", "socket:[4711]" */
	bool is_device;
	struct device_number device; /* if is_device, whatever the node's path is */
};

/* Called per file; a result other than 0 ends the walk. */
typedef int (*open_file_fn)(void *data, const struct open_file *file);

/*
 * Walks the open and mapped files of all processes and of their threads, which may
 * have a file table of their own. Returns what `take` returned; 0; or negative errno
 * if the files of a process could not be read, after walking all others.
 */
int open_files_each(const struct roots *roots, open_file_fn take, void *data);

#endif
