/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_USAGE_H
#define GUEST_AGENT_DEVICES_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/disks.h"
#include "guest/files.h"

/*
 * What uses the disks and display nodes of a PCI function: data, or a picture,
 * would be lost if its driver went. A disk is unused only where that is proven:
 * what cannot be read is not taken for unused.
 */

struct usage {
	const struct roots *roots;
	struct disk_list list;
	/* Why uses of any disk may have been missed, or "". */
	char unread[DISK_REASON_MAX];
};

/*
 * The last question about a block device that nothing else explains: does the
 * kernel itself hold it (a mount in another namespace, a multipath map)? An
 * exclusive open is then refused. Returns 1, 0, or negative errno if another
 * reason prevents the open.
 */
typedef int (*usage_claimed_fn)(const struct roots *roots, const char *device_number);

int usage_claimed(const struct roots *roots, const char *device_number);

/*
 * Looks at all disks, or those of the function in `directory` alone: mounts,
 * swap, holders (dm, md), what lies on loop devices, what blkback and nvmet
 * export, what processes hold open (QEMU and tapdisk serve disks so), and
 * `claimed` where those say nothing. Returns 0 or -ENOMEM: what cannot be read
 * makes a use unknown.
 */
int usage_read(struct usage *ret, const struct roots *roots, const char *directory,
	       usage_claimed_fn claimed);

/*
 * Finds a use of the disks that the function in `directory` (as by realpath)
 * leads to. Returns DISK_IN_USE with it as "sda1 mounted on /", DISK_UNKNOWN
 * with the reason, or DISK_UNUSED if that is proven for each.
 */
enum disk_use usage_find_disk(const struct usage *usage, const char *directory, char *ret,
			      size_t size);

/* Does a process hold a DRM or framebuffer node beneath `directory`? */
bool usage_display_is_open(const struct usage *usage, const char *directory, char *ret,
			   size_t size);

void usage_done(struct usage *usage);

#endif
