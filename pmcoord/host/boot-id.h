/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_BOOT_ID_H
#define PMCOORD_HOST_BOOT_ID_H

/* The kernel's identifier of this boot. Journals with another identifier are of earlier boots. */

/* "12345678-1234-1234-1234-123456789abc" and NUL */
#define BOOT_ID_SIZE 37

/* Reads the identifier from /proc/sys/kernel/random/boot_id. Returns 0 or -EIO. */
int boot_id_read(char ret[BOOT_ID_SIZE]);

#endif
