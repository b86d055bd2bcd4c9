/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_INVENTORY_H
#define PMCOORD_XEN_XEN_INVENTORY_H

/*
 * Reads all guests and their links: lists the domains by hypercall, and reads
 * each domain from xenstore (xen-guest-tree.h).
 *
 * The list of domains is read each time. A process that watches domains caches
 * what it has read of a domain, until a watch reports a change of the domain.
 * Domains that libxl did not create are not cached, because not all of their
 * nodes are watched.
 *
 * Unless described otherwise, functions return 0 or a negative errno.
 */

#include <stdint.h>

#include "model/domain-id.h"
#include "model/inventory.h"
#include "xen/xen-control.h"
#include "xen/xen-store.h"
#include "xen/xen-watches.h"

/* The handles, and the cache of the last inventory. */
struct xen_inventory;

/* Called for each domain that was in an earlier inventory and no longer exists. */
typedef void (*xen_domain_gone_fn)(void *data, const struct domain_id *id);

/* The handles are borrowed until xen_inventory_free. */
int xen_inventory_new(struct xen_control *control, struct xen_store *store,
		      struct xen_watches *watches, struct xen_inventory **ret_inventory);
void xen_inventory_free(struct xen_inventory *inventory);

/*
 * Watches all domains from now on. xen_inventory_read then calls `gone` for
 * each domain that has ended. A second call has no effect.
 */
int xen_inventory_watch_domains(struct xen_inventory *inventory, xen_domain_gone_fn gone,
				void *data);

/*
 * Reads all guests and links, and calls inventory_finish. Release:
 * inventory_done. If domains are watched, discards the changes that
 * xen_inventory_next_change would return, because the inventory shows them.
 */
int xen_inventory_read(struct xen_inventory *inventory, struct inventory *ret_inventory);

/*
 * Makes the next xen_inventory_read read the domain again. Called when this
 * process writes an unwatched node of the domain.
 */
void xen_inventory_expire(struct xen_inventory *inventory, uint32_t domid);

/*
 * Reads the next change that a watch has reported, without waiting. Returns 1
 * if there was a change, 0 if there is none, or a negative errno. *ret_domid is
 * the domain that has changed, or HYPERVISOR_ALL_DOMAINS.
 */
int xen_inventory_next_change(struct xen_inventory *inventory, uint32_t *ret_domid);

#endif
