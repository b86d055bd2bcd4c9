/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_STORAGE_H
#define GUEST_AGENT_DEVICES_STORAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/files.h"

/*
 * Which disks a storage controller reaches, by sysfs. Only NVMe and ATA are
 * understood: other controllers may be used by ways that sysfs does not show.
 */

/*
 * Does the PCI function in `directory` lead to the block device in `disk` (both
 * as by realpath)? It does to all beneath it, and to the disks of NVMe
 * multipath, which lie beneath their subsystem in /sys/devices/virtual. True
 * also if that cannot be read.
 */
bool storage_leads_to(const char *directory, const char *disk);

/*
 * Is all that hangs from the storage function in `directory` visible, so that
 * nothing is in use if none of its block devices is? Returns 1, 0 with the
 * reason in `ret`, or negative errno.
 *
 *   NVMe: each controller is live and belongs to a subsystem.
 *   ATA:  each port is empty, or has as many SCSI devices as drives, and each
 *         of those is a block device. A port without a SCSI device has no
 *         user, as there is no other way to a drive.
 */
int storage_is_understood(const struct roots *roots, const char *directory, char *ret, size_t size);

#endif
