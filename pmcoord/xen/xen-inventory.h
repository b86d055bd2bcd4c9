/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_INVENTORY_H
#define PMCOORD_XEN_XEN_INVENTORY_H

/*
 * Reads all guests and their links: which domains exist is Xen's list, what
 * they are is read from xenstore (xen-guest-tree.h).
 *
 * A process that watches domains keeps what it has read of each until a watch
 * reports a change; the list is always Xen's. Domains that libxl has not made
 * are read each time, since not all that is read of them is watched.
 *
 * Unless said otherwise functions return 0 or a negative errno.
 */

#include <stdint.h>

#include "model/hypervisor.h"
#include "xen/xen-control.h"
#include "xen/xen-store.h"
#include "xen/xen-watches.h"

/* What inventories are read from, and what is kept of the last one. */
struct xen_inventory;

/* A domain that an earlier inventory had no longer exists. */
typedef void (*xen_domain_gone_fn)(void *data, const struct domain_id *id);

/* The handles are borrowed until xen_inventory_free. */
int xen_inventory_new(struct xen_control *control, struct xen_store *store,
		      struct xen_watches *watches, struct xen_inventory **ret_inventory);
void xen_inventory_free(struct xen_inventory *inventory);

/*
 * From now on domains are watched, and `gone` is called within
 * xen_inventory_read. A second call has no effect.
 */
int xen_inventory_watch_domains(struct xen_inventory *inventory, xen_domain_gone_fn gone,
				void *data);

/*
 * Reads all guests and links, finished; the caller's. Changes that have been
 * reported but not yet taken by xen_inventory_next_change are taken first.
 */
int xen_inventory_read(struct xen_inventory *inventory, struct inventory *ret_inventory);

/* Has the domain read anew the next time, after a write that is not watched. */
void xen_inventory_expire(struct xen_inventory *inventory, uint32_t domid);

/*
 * Takes the next change that a watch has reported, without waiting. Returns 1
 * with *ret_domid (or HYPERVISOR_ALL_DOMAINS), 0 if there is none.
 */
int xen_inventory_next_change(struct xen_inventory *inventory, uint32_t *ret_domid);

#endif
