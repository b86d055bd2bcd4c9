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

/* In ascending order: of several, the last one counts. */
enum disk_use {
	DISK_UNUSED,
	DISK_UNKNOWN, /* something cannot be read */
	DISK_IN_USE,
};

struct disk {
	char name[64];
	char directory[FILE_PATH_MAX]; /* as by realpath */
	/* "" for a path of NVMe multipath, whose disk belongs to its subsystem. */
	struct device_number number;
	enum disk_use use;
	char text[128]; /* "mounted on /srv", "cannot be opened: …" */
};

#define DISK_REASON_MAX 128

struct disk_list {
	struct disk *disks;
	size_t n_disks;
	char incomplete[DISK_REASON_MAX]; /* why there may be more disks, or "" */
};

/*
 * Lists the disks beneath PCI functions and those of NVMe multipath; any other
 * belongs to no function, or is stacked on these. What cannot be read makes the list
 * incomplete, or a disk DISK_UNKNOWN. Returns 0 or -ENOMEM; release `ret` with
 * disk_list_done().
 */
int disk_list_read(struct disk_list *ret, const struct roots *roots);
void disk_list_done(struct disk_list *list);

/* Does the disk have this device number? */
bool disk_has_number(const struct disk *disk, const struct device_number *number);

/* Records a use with its text, unless the recorded one is at least as strong. */
void disk_set_use(struct disk *disk, enum disk_use use, const char *format, ...) _printf_(3, 4);

#endif
