/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_DISKS_H
#define GUEST_AGENT_DEVICES_DISKS_H

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/cleanup.h"
#include "guest/files.h"

/*
 * The nodes through which the data of disks can be reached: block devices, and
 * the character devices that send commands past them (nvme, sg, bsg, st, ch).
 */

/* In ascending order: the strongest counts. */
enum disk_use {
	DISK_UNUSED,
	DISK_UNKNOWN, /* something cannot be read */
	DISK_IN_USE,
};

struct disk {
	char name[64];
	char directory[FILE_PATH_MAX]; /* as by realpath */
	/* "" for a path of NVMe multipath: the disk is its subsystem's. */
	struct device_number number;
	enum disk_use use;
	char text[128]; /* "mounted on /srv", "cannot be opened: …" */
};

#define DISK_REASON_MAX 128

struct disk_list {
	struct disk *disks;
	size_t n_disks;
	char incomplete[DISK_REASON_MAX]; /* why there may be others, or "" */
};

/*
 * Lists those beneath PCI functions and those of NVMe multipath. All others are
 * no function's, or stacked on these. Returns 0 or -ENOMEM: what cannot be read
 * makes the list incomplete, or a disk DISK_UNKNOWN.
 */
int disk_list_read(struct disk_list *ret, const struct roots *roots);
void disk_list_done(struct disk_list *list);

/* Is it the device with this number? */
bool disk_has_number(const struct disk *disk, const struct device_number *number);

/* Records a use with its text, unless one as strong is recorded. */
void disk_set_use(struct disk *disk, enum disk_use use, const char *format, ...) _printf_(3, 4);

#endif
