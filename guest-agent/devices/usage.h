/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_USAGE_H
#define GUEST_AGENT_DEVICES_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/disks.h"
#include "guest/files.h"

/*
 * Finds what uses the disks and display nodes of a PCI function, because unbinding the
 * driver of a function in use would lose data or the display. A disk counts as unused only
 * if everything about its use could be read.
 */

struct usage {
	const struct roots *roots;
	struct disk_list list;
	/* Why a use of some disk may have been missed; "" if all uses could be read. */
	char unread[DISK_REASON_MAX];
};

/*
 * Whether the kernel has claimed a block device. If so, an exclusive open fails with EBUSY. This
 * check finds uses that are not visible elsewhere, e.g. a mount in another namespace. Returns 1
 * if the device is claimed; 0 if not; or negative errno if it cannot be opened for another reason.
 */
typedef int (*usage_claimed_fn)(const struct roots *roots, const char *device_number);

/* The usage_claimed_fn of the running system. */
int usage_claimed(const struct roots *roots, const char *device_number);

/*
 * Reads the use of the disks that the PCI function in `directory` leads to, or of all disks if
 * `directory` is NULL. The uses are mounts, swap, holders (dm, md), loop devices, exports by
 * blkback, and files that processes hold open (QEMU and tapdisk serve disks in this way). A
 * disk without any of these uses is in use if `claimed` returns 1. If something cannot be read,
 * e.g. what nvmet exports, the use is DISK_UNKNOWN. Returns 0 or -ENOMEM; release `ret` with
 * usage_done().
 */
int usage_read(struct usage *ret, const struct roots *roots, const char *directory,
	       usage_claimed_fn claimed);

/*
 * Returns the highest use among the disks that the PCI function in `directory` (a path by
 * realpath(3)) leads to: DISK_IN_USE with e.g. "sda1 mounted on /" in `ret`; DISK_UNKNOWN
 * with the reason in `ret`; or DISK_UNUSED.
 */
enum disk_use usage_find_disk(const struct usage *usage, const char *directory, char *ret,
			      size_t size);

/*
 * Whether a process or the console uses a DRM or framebuffer node beneath `directory`. If so,
 * `ret` names the user. A framebuffer always counts as used by the console.
 */
bool usage_display_is_open(const struct usage *usage, const char *directory, char *ret,
			   size_t size);

void usage_done(struct usage *usage);

#endif
