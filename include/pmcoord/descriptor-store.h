/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DESCRIPTOR_STORE_H
#define PMCOORD_DESCRIPTOR_STORE_H

/*
 * The service manager's descriptor store (FileDescriptorStoreMax= in the unit).
 * Descriptors in the store survive a restart of the process.
 */

/*
 * Returns the first descriptor that an earlier process stored under `name`, owned
 * by the caller. Returns -ENOENT if there is none, and from the second call on.
 * Closes all other descriptors that the service manager has passed.
 */
int descriptor_store_take(const char *name);

/*
 * Stores a duplicate of `fd` under `name`, and removes the descriptors that were
 * stored under this name before. Returns a positive number on success, 0 if there is
 * no service manager, or a negative errno.
 */
int descriptor_store_put(const char *name, int fd);

#endif
