/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_SHUTDOWN_NODES_H
#define PMCOORD_XEN_XEN_SHUTDOWN_NODES_H

/*
 * The node control/shutdown of each domain, in which dom0's programs write requests to the
 * domain's kernel. The kernel acknowledges a request by clearing the node (Linux) or by removing
 * it (Windows PV drivers 8.x, NetBSD).
 *
 * - libxl creates the node for the guest to own. A node that dom0 writes after its removal
 *   inherits the permissions of control/ instead, and the guest can never acknowledge another
 *   request. The node is therefore made anew as soon as it is seen to be missing.
 * - Another program, e.g. 'xl save', can write the same request at any time. What was seen of the
 *   node since our own write tells whose request the guest has obeyed.
 *
 * The node is watched, and it is read only after a change, so that a request stays one write.
 */

#include <stdbool.h>

#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "xen/xen-store.h"
#include "xen/xen-watches.h"

/* What is known of the nodes. */
struct xen_shutdown_nodes;

/* The handles are borrowed until xen_shutdown_nodes_free. Returns 0 or -ENOMEM. */
int xen_shutdown_nodes_new(struct xen_store *store, struct xen_watches *watches,
			   struct xen_shutdown_nodes **ret_nodes);
void xen_shutdown_nodes_free(struct xen_shutdown_nodes *nodes);

/*
 * Watches the node, and makes sure that the guest owns it. A failure is ignored, because
 * xen_shutdown_nodes_request tries again. Waits for no reply of xenstored if the node is known
 * and has not changed.
 */
void xen_shutdown_nodes_prepare(struct xen_shutdown_nodes *nodes, const struct domain_id *id);

/*
 * Writes the request to suspend. The caller has read the changes that the watches have reported.
 * Returns an enum request_outcome or a negative errno.
 */
int xen_shutdown_nodes_request(struct xen_shutdown_nodes *nodes, const struct domain_id *id);

/* Whether the last request of this process could not be written, so that the guest has none. */
bool xen_shutdown_nodes_request_failed(const struct xen_shutdown_nodes *nodes,
				       const struct domain_id *id);

/*
 * Returns whose request the guest has or has acknowledged. If the domain has suspended and its
 * node was not seen to change, reads the node.
 */
enum request_owner xen_shutdown_nodes_get_owner(struct xen_shutdown_nodes *nodes,
						const struct domain_id *id, bool is_suspended);

/*
 * The same for a domain that has suspended after its agent has written the request itself. Reads
 * the node each time.
 */
enum request_owner xen_shutdown_nodes_get_owner_of_agent(struct xen_shutdown_nodes *nodes,
							 const struct domain_id *id);

/* Does what xen_shutdown_nodes_prepare does, but only for a node that is known to be wrong. */
void xen_shutdown_nodes_repair(struct xen_shutdown_nodes *nodes, const struct domain_id *id);

/* Removes from `nodes` a domain that no longer exists. */
void xen_shutdown_nodes_forget_domain(struct xen_shutdown_nodes *nodes, const struct domain_id *id);

#endif
