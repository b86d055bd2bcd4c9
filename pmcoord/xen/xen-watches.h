/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_WATCHES_H
#define PMCOORD_XEN_XEN_WATCHES_H

/*
 * Xenstore watches, on their own connection (see xen-store.h). A watch reports
 * which domain has changed, and the caller reads what has changed.
 *
 * A process that keeps running, e.g. the daemon, watches all domains and the
 * nodes that an inventory reads. Other processes watch only the list of domains,
 * and the states of the agents to which they send requests. Unless described
 * otherwise, functions return 0 or a negative errno.
 *
 * A guest can write its own nodes without end. The watches of a domain that changes too often
 * are removed: the domain is muted until it is unwatched.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection to xenstored with its watches. */
struct xen_watches;

int xen_watches_open(struct xen_watches **ret_watches);
void xen_watches_free(struct xen_watches *watches);

/* Returns a descriptor, borrowed, that is readable when xen_watches_next has a change. */
int xen_watches_fd(const struct xen_watches *watches);

/* Makes xen_watches_next report domains that are created, shut down, crash or are destroyed. */
int xen_watches_watch_list(struct xen_watches *watches);

/*
 * Makes xen_watches_next also report changes of libxl's records. Calls xen_watches_watch_list again
 * if that has failed.
 */
int xen_watches_watch_domains(struct xen_watches *watches);

/*
 * Watches, for one domain, the nodes that an inventory reads. Returns false if
 * a watch could not be set.
 */
bool xen_watches_watch_domain(struct xen_watches *watches, uint32_t domid);
void xen_watches_unwatch_domain(struct xen_watches *watches, uint32_t domid);

/*
 * Watches the state of a domain's agent. Does nothing after
 * xen_watches_watch_domains: xen_watches_watch_domain then watches the state.
 */
int xen_watches_watch_agent(struct xen_watches *watches, uint32_t domid);

/* Does the same for the node of requests to a domain's kernel, control/shutdown. */
int xen_watches_watch_request(struct xen_watches *watches, uint32_t domid);

/*
 * Returns how many changes of the domain's node of requests xen_watches_next has read. Changes of
 * a domain that is muted or not watched are not counted.
 */
uint64_t xen_watches_count_request_changes(const struct xen_watches *watches, uint32_t domid);

/*
 * Reads the next change, without waiting. Returns 1 if there was a change, 0 if
 * there is none, or a negative errno. *ret_domid is the domain that has
 * changed, or HYPERVISOR_ALL_DOMAINS.
 */
int xen_watches_next(struct xen_watches *watches, uint32_t *ret_domid);

/*
 * Counts the changes of each domain from zero again. Called when all domains are read, because
 * only changes since then can be too many.
 */
void xen_watches_restart_counts(struct xen_watches *watches);

/* Whether the domain is muted, so that its changes are not reported. */
bool xen_watches_is_muted(const struct xen_watches *watches, uint32_t domid);

/*
 * Iterates over the muted domains, which the caller must read without an event. *index is 0 for
 * the first call. Returns false after the last domain.
 */
bool xen_watches_next_muted(const struct xen_watches *watches, size_t *index, uint32_t *ret_domid);

#endif
