/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_STORAGE_H
#define GUEST_AGENT_DEVICES_STORAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/files.h"

/*
 * Finds in sysfs which disks a storage controller reaches. Only NVMe and ATA controllers are
 * understood, because sysfs does not show all disks of other controllers.
 */

/*
 * Whether the PCI function in `directory` leads to the block device in `disk` (both paths by
 * realpath(3)). A PCI function leads to all block devices beneath it, and to the disks of its
 * NVMe subsystem, which are in /sys/devices/virtual (multipath). If the subsystem cannot be
 * read, returns true.
 */
bool storage_leads_to(const char *directory, const char *disk);

/*
 * Whether all disks of the storage controller in `directory` are visible in sysfs. Otherwise a
 * disk that is not visible may be in use. Returns 1 if all disks are visible; 0 with the
 * reason in `ret` if not; or negative errno. All disks are visible under these conditions:
 *
 *   NVMe: each controller is live and belongs to a subsystem.
 *   ATA:  each SCSI host belongs to an ATA port, there are as many SCSI devices as drives,
 *         and each SCSI device is a block device.
 */
int storage_is_understood(const struct roots *roots, const char *directory, char *ret, size_t size);

#endif
