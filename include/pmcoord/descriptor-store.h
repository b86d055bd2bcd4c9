/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DESCRIPTOR_STORE_H
#define PMCOORD_DESCRIPTOR_STORE_H

/*
 * The service manager's descriptor store (FileDescriptorStoreMax= in the unit):
 * a descriptor in it outlives a restart of the process.
 */

/*
 * Takes the first descriptor that a former process stored under `name`; it is
 * the caller's. Closes all others that were passed, and forgets them: a second
 * call finds none. Returns it, or -ENOENT.
 */
int descriptor_store_take(const char *name);

/*
 * Stores a copy of `fd` under `name`, instead of what was stored there. Returns
 * a positive number, 0 where there is no service manager, or a negative errno.
 */
int descriptor_store_put(const char *name, int fd);

#endif
