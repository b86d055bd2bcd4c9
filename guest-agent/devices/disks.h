/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_DISKS_H
#define GUEST_AGENT_DEVICES_DISKS_H

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/cleanup.h"
#include "guest/files.h"

/*
 * Lists the device nodes through which the data of disks can be reached: block devices, and
 * the character devices that send commands to a disk directly (nvme, sg, bsg, st, ch).
 */

/* How a disk is used, in ascending order. If a disk has several uses, the highest counts. */
enum disk_use {
	DISK_UNUSED,
	DISK_UNKNOWN, /* may be in use: something about the disk cannot be read */
	DISK_IN_USE,
};

struct disk {
	char name[64];
	char directory[FILE_PATH_MAX]; /* in sysfs, by realpath(3) */
	/* number.text is "" if the disk has no number, e.g. for a hidden path of NVMe multipath. */
	struct device_number number;
	enum disk_use use;
	char text[128]; /* describes the use: "mounted on /srv", "cannot be opened: …" */
};

/* The size of a text about what could not be read, with its NUL; longer texts are truncated. */
#define DISK_REASON_MAX 128

struct disk_list {
	struct disk *disks;
	size_t n_disks;
	char incomplete[DISK_REASON_MAX]; /* why `disks` may lack a disk; "" if complete */
};

/*
 * Lists the disks beneath PCI functions and those of NVMe multipath. All other disks belong
 * to no PCI function, or are stacked on the listed ones. If the list may lack a disk,
 * `incomplete` says why. A disk without a device number is DISK_UNKNOWN. Exception: a path of
 * NVMe multipath whose disk is listed too. Returns 0 or -ENOMEM; release `ret` with
 * disk_list_done().
 */
int disk_list_read(struct disk_list *ret, const struct roots *roots);
void disk_list_done(struct disk_list *list);

/* Whether the disk has this device number. */
bool disk_has_number(const struct disk *disk, const struct device_number *number);

/* Records `use` and its text, if `use` is higher than the use recorded so far. */
void disk_set_use(struct disk *disk, enum disk_use use, const char *format, ...) _printf_(3, 4);

#endif
