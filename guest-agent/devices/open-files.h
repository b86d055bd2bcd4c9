/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_OPEN_FILES_H
#define GUEST_AGENT_DEVICES_OPEN_FILES_H

#include <stdbool.h>

#include "guest/files.h"

/* The files that processes hold open, by /proc. */

struct open_file {
	const char *pid;
	const char *target; /* "/dev/sda", "socket:[4711]" */
	bool is_device;
	struct device_number device; /* if it is one, wherever its node lies */
};

/* Anything but 0 ends the walk. */
typedef int (*open_file_fn)(void *data, const struct open_file *file);

/*
 * Walks the open and mapped files of all processes and of their threads, which
 * may have a table of their own. Returns what `take` returned, 0, or, after all
 * others were walked, negative errno if those of a process cannot be read.
 */
int open_files_each(const struct roots *roots, open_file_fn take, void *data);

#endif
