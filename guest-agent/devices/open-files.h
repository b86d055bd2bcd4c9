/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_OPEN_FILES_H
#define GUEST_AGENT_DEVICES_OPEN_FILES_H

#include <stdbool.h>

#include "guest/files.h"

/* Lists the files that processes hold open, from /proc. */

struct open_file {
	const char *pid;
	const char *target; /* what is open: "/dev/sda", "socket:[4711]" */
	bool is_device; /* the file is a device node */
	/* The number of the device. Valid if is_device, for any path of the node. */
	struct device_number device;
};

/* Called for each file; a result other than 0 ends the walk. */
typedef int (*open_file_fn)(void *data, const struct open_file *file);

/*
 * Calls `take` for each open or mapped file of all processes, and for each open file of
 * their threads, because a thread may have a file table of its own. Returns the result by
 * which `take` ended the walk; 0 if all files were walked; or negative errno if files of a
 * process could not be read. Even then all other processes were walked.
 */
int open_files_each(const struct roots *roots, open_file_fn take, void *data);

#endif
