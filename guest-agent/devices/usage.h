/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_USAGE_H
#define GUEST_AGENT_DEVICES_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/files.h"

/*
 * Who uses the block devices and display nodes beneath a PCI function: what
 * would lose data, or a picture, when its driver went.
 */

/* A block device with the sysfs directory it really lives in. */
struct usage_disk {
	char name[64];
	char directory[FILE_PATH_MAX];
	char use[128]; /* "mounted on /srv", "" if free */
};

struct usage {
	const struct roots *roots;
	struct usage_disk *disks;
	size_t n_disks;
};

/*
 * The last question about a block device that nothing else explains: does the
 * kernel itself hold it (a mount in another namespace, a multipath map)? True
 * if an exclusive open is refused.
 */
typedef bool (*usage_claimed_fn)(const struct roots *roots, const char *device_number);

bool usage_claimed(const struct roots *roots, const char *device_number);

/*
 * Looks at all block devices: mounts, swap, holders (dm, md), what blkback
 * exports, and `claimed` where those say nothing. Returns 0 or negative errno.
 */
int usage_read(struct usage *ret, const struct roots *roots, usage_claimed_fn claimed);

/*
 * The use of the first block device in use beneath `directory` (as by
 * realpath), as "sda1 mounted on /". Returns false if all are free.
 */
bool usage_find_disk(const struct usage *usage, const char *directory, char *ret, size_t size);

/* Does a process hold a DRM or framebuffer node beneath `directory`? */
bool usage_display_is_open(const struct usage *usage, const char *directory, char *ret,
			   size_t size);

void usage_done(struct usage *usage);

#endif
