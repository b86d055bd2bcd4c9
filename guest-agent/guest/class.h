/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_CLASS_H
#define GUEST_AGENT_GUEST_CLASS_H

#include <stdbool.h>

#include "guest/files.h"

/* Lists the devices of a sysfs class (interfaces, cards, …) beneath a PCI function. */

/* Called with each device's name; a result other than 0 ends the walk. */
typedef int (*class_fn)(void *data, const char *name);

/*
 * Walks the devices of /sys/class/`class` at any depth beneath `directory` (a path by
 * realpath(3)). Returns what `take` returned; 0 (also if the kernel has no such
 * class); or negative errno if not all of them could be read.
 */
int class_each_in(const struct roots *roots, const char *class, const char *directory,
		  class_fn take, void *data);

/* Likewise beneath a PCI function. Returns -ENOENT if there is no such function. */
int class_each(const struct roots *roots, const char *class, const char *address, class_fn take,
	       void *data);

/*
 * The path of a class's device, by realpath(3), in `ret` (PATH_MAX bytes). Returns 0
 * or negative errno.
 */
int class_directory(const struct roots *roots, const char *class, const char *name, char *ret);

/* Is `path` beneath `directory`? */
bool path_is_beneath(const char *path, const char *directory);

#endif
