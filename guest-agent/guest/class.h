/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_CLASS_H
#define GUEST_AGENT_GUEST_CLASS_H

#include <stdbool.h>

#include "guest/files.h"

/* Lists the devices of a sysfs class (interfaces, cards, …) beneath a PCI function. */

/* Called with the name of each device; a result other than 0 ends the walk. */
typedef int (*class_fn)(void *data, const char *name);

/*
 * Calls `take` for each device of /sys/class/`class` that is at any depth beneath
 * `directory` (a path by realpath(3)). Returns the result by which `take` ended the walk; 0 if
 * all devices were walked or the kernel has no such class; or negative errno if a device could
 * not be read.
 */
int class_each_in(const struct roots *roots, const char *class, const char *directory,
		  class_fn take, void *data);

/*
 * Calls class_each_in() for the directory of the PCI function `address`. Returns the
 * same as class_each_in(), or -ENOENT if there is no such PCI function.
 */
int class_each(const struct roots *roots, const char *class, const char *address, class_fn take,
	       void *data);

/*
 * Writes to `ret` (PATH_MAX bytes) the directory to which /sys/class/`class`/`name` links, as
 * an absolute path without symbolic links. Returns 0 or negative errno.
 */
int class_directory(const struct roots *roots, const char *class, const char *name, char *ret);

/* Whether `path` is beneath `directory`; false if both are the same. */
bool path_is_beneath(const char *path, const char *directory);

#endif
