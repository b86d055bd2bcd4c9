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

#include <stdbool.h>
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
 * inventory_done. Takes no change from the caller of xen_inventory_take_change, who
 * may wait for it.
 */
int xen_inventory_read(struct xen_inventory *inventory, struct inventory *ret_inventory);

/*
 * Makes the next xen_inventory_read read the domain again. Called when this
 * process writes an unwatched node of the domain.
 */
void xen_inventory_expire(struct xen_inventory *inventory, uint32_t domid);

/*
 * Reads changes that watches have reported, without waiting, and keeps them for
 * xen_inventory_take_change. Several changes of a domain become one. Reads a limited number.
 * Returns 1 if there may be more, 0 if there are no more, or a negative errno.
 */
int xen_inventory_read_changes(struct xen_inventory *inventory);

/*
 * Takes a change that was read. Returns false if there is none. *ret_domid is the domain that
 * has changed, or HYPERVISOR_ALL_DOMAINS.
 */
bool xen_inventory_take_change(struct xen_inventory *inventory, uint32_t *ret_domid);

/* Whether xen_inventory_take_change would return a change. */
bool xen_inventory_has_changes(const struct xen_inventory *inventory);

#endif
