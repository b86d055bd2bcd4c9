/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_HOST_H
#define PMCOORD_XEN_XEN_HOST_H

/*
 * What hypervisor-xen.c tells the reader of the inventory, in plain types:
 * Xen's own stay in that file.
 */

#include "model/hypervisor.h"
#include "xen/xen-control.h"
#include "xen/xen-store.h"

struct xen;

/* Facts about an HVM domain; what Xen does not say is left as it is. */
void xen_read_hvm(struct xen *xen, uint32_t domid, bool *ret_has_pv_drivers, bool *ret_in_acpi_s3);

/*
 * What was read of each domain, for a process that is told when it changes.
 * Records of domains that libxl has not made are not kept: nobody would tell.
 */
struct inventory_cache;

int inventory_cache_new(struct inventory_cache **ret_cache);
void inventory_cache_free(struct inventory_cache *cache);

/* The domain has changed: it is read anew the next time. */
void inventory_cache_expire(struct inventory_cache *cache, uint32_t domid);

/* The domain cannot be watched: it is read anew each time. */
void inventory_cache_refuse(struct inventory_cache *cache, uint32_t domid);

/*
 * Reads all guests and links, finished; what the cache (NULL: none) knows is
 * not read again. Returns 0 or a negative errno.
 */
int xen_read_inventory(struct xen *xen, struct xen_control *control, struct xen_store *store,
		       struct inventory_cache *cache, struct inventory *ret_inventory);

/* Told by xen_read_inventory, with a cache, of domains that come and go. */
void xen_domain_appeared(struct xen *xen, uint32_t domid);
void xen_domain_went(struct xen *xen, const struct domain_id *id);

#endif
