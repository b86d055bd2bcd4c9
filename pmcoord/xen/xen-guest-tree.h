/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_GUEST_TREE_H
#define PMCOORD_XEN_XEN_GUEST_TREE_H

/*
 * Reads a guest from xenstore: its own tree, which the guest can write, and the
 * records of dom0 and of libxl.
 *
 * Functions return 0 or -ENOMEM. A missing or malformed node is no error: its
 * field keeps the default.
 */

#include <stdbool.h>

#include "model/inventory.h"
#include "xen/xen-store.h"

/*
 * Reads a guest's tree, and appends the guest and its links to the inventory.
 * `facts` contains what Xen reports: domid, UUID, type, state, has_pv_drivers
 * and in_acpi_s3. Sets *ret_has_record to whether libxl has a record of the
 * domain. The record lists all links of the domain, so only domains without a
 * record need xen_guest_tree_read_backends.
 */
int xen_guest_tree_read(struct xen_store *store, const struct guest *facts,
			struct inventory *inventory, bool *ret_has_record);

/* Appends the links for which a guest of the inventory reports itself as the backend. */
int xen_guest_tree_read_backends(struct xen_store *store, struct inventory *inventory);

#endif
