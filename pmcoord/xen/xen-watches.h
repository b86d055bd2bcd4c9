/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_WATCHES_H
#define PMCOORD_XEN_XEN_WATCHES_H

/*
 * Xenstore watches, on a connection of their own (see xen-store.h). A watch
 * reports which domain has changed; the caller reads what has changed.
 *
 * A process watches either all domains and the nodes that it reads of them, or
 * only the end of domains and the states of the agents that it uses. Unless said
 * otherwise functions return 0 or a negative errno.
 */

#include <stdbool.h>
#include <stdint.h>

/* A connection to xenstored with its watches. */
struct xen_watches;

int xen_watches_open(struct xen_watches **ret_watches);
void xen_watches_free(struct xen_watches *watches);

/* Readable when xen_watches_next has something; borrowed. */
int xen_watches_fd(const struct xen_watches *watches);

/* Reports, from now on, domains that shut down, crash or are destroyed. */
int xen_watches_watch_releases(struct xen_watches *watches);

/* Reports, from now on, also new domains and changes of libxl's records. */
int xen_watches_watch_domains(struct xen_watches *watches);

/* Watches the nodes of one domain that an inventory reads; false: not all of them. */
bool xen_watches_watch_domain(struct xen_watches *watches, uint32_t domid);
void xen_watches_unwatch_domain(struct xen_watches *watches, uint32_t domid);

/* Watches the state of an agent, unless all domains are watched. */
int xen_watches_watch_agent(struct xen_watches *watches, uint32_t domid);

/*
 * Reads the next change, without waiting. Returns 1 with *ret_domid (or
 * HYPERVISOR_ALL_DOMAINS), 0 if there is none.
 */
int xen_watches_next(struct xen_watches *watches, uint32_t *ret_domid);

#endif
