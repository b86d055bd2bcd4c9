/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_STORAGE_H
#define GUEST_AGENT_DEVICES_STORAGE_H

#include <stdbool.h>

#include "guest/files.h"

/* Which disks a PCI function leads to, by sysfs. */

/*
 * Does the PCI function in `directory` lead to the block device in `disk` (both
 * as by realpath)? It does to all beneath it, and to the disks of NVMe
 * multipath, which lie beneath their subsystem in /sys/devices/virtual. True
 * also if that cannot be read.
 */
bool storage_leads_to(const char *directory, const char *disk);

#endif
