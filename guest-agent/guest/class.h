/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_CLASS_H
#define GUEST_AGENT_GUEST_CLASS_H

#include <stdbool.h>

#include "guest/files.h"

/* sysfs by class: which interfaces, cards, … hang from which PCI function. */

/* Called per device's name; anything but 0 ends the walk. */
typedef int (*class_fn)(void *data, const char *name);

/*
 * Walks the devices of /sys/class/`class` that live beneath `directory` (as by
 * realpath), however deep. Returns what `take` returned, 0 (also if the kernel
 * has no such class), or negative errno if not all of them could be looked at.
 */
int class_each_in(const struct roots *roots, const char *class, const char *directory,
		  class_fn take, void *data);

/* The same beneath a PCI function. Returns -ENOENT if that is not there. */
int class_each(const struct roots *roots, const char *class, const char *address, class_fn take,
	       void *data);

/* Where a device of a class really lives; `ret` has PATH_MAX bytes. */
int class_directory(const struct roots *roots, const char *class, const char *name, char *ret);

/* Is `path` beneath `directory`? */
bool path_is_beneath(const char *path, const char *directory);

#endif
