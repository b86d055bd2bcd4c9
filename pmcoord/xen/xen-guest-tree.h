/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_GUEST_TREE_H
#define PMCOORD_XEN_XEN_GUEST_TREE_H

/*
 * Parses what xenstore holds of a guest: its own tree, which the guest can
 * write, and the records of dom0 and of libxl. Only xenstore is read.
 *
 * Unless said otherwise functions return 0 or -ENOMEM. A node that is missing
 * or malformed is no error: the guest's fact keeps its default.
 */

#include <stdbool.h>

#include "model/inventory.h"
#include "xen/xen-store.h"

/*
 * Completes a guest by what its tree holds, and appends it and its links to the
 * inventory. `facts` has what Xen itself reports: domid, UUID, type, state and
 * the HVM flags. *ret_has_record: libxl has made the domain, so its record has
 * all links; they are complete without xen_guest_tree_read_backends.
 */
int xen_guest_tree_read(struct xen_store *store, const struct guest *facts,
			struct inventory *inventory, bool *ret_has_record);

/* Appends what the backends among the inventory's guests report of links. */
int xen_guest_tree_read_backends(struct xen_store *store, struct inventory *inventory);

#endif
