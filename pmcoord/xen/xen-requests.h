/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_REQUESTS_H
#define PMCOORD_XEN_XEN_REQUESTS_H

/*
 * Suspend requests to guests by each mechanism. Requests to agents follow the
 * protocol in protocol.h. The functions implement verbs of struct
 * hypervisor_ops; see hypervisor.h for what they do.
 *
 * xen_requests_prepare, xen_requests_arm and xen_requests_subscribe do
 * everything that can be done ahead of a request, so that the request is one
 * hypercall or one xenstore write. These three and xen_requests_retract return
 * -ESRCH if the domain no longer exists. Unless described otherwise, functions
 * return 0 or a negative errno.
 */

#include <stdint.h>

#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "xen/xen-channels.h"
#include "xen/xen-control.h"
#include "xen/xen-inventory.h"
#include "xen/xen-shutdown-nodes.h"
#include "xen/xen-store.h"
#include "xen/xen-watches.h"

/* The modules that requests use; all are borrowed. */
struct xen_requests {
	struct xen_control *control;
	struct xen_store *store;
	struct xen_watches *watches;
	struct xen_channels *channels;
	struct xen_inventory *inventory; /* its cache expires when requests are written */
	struct xen_shutdown_nodes *nodes;
};

/* Returns an enum prepare_outcome or a negative errno. */
int xen_requests_prepare(const struct xen_requests *requests, const struct guest *guest,
			 enum mechanism mechanism);

int xen_requests_arm(const struct xen_requests *requests, const struct domain_id *id,
		     uint64_t cycle, const struct agent_terms *terms);

int xen_requests_subscribe(const struct xen_requests *requests, const struct domain_id *id,
			   enum mechanism mechanism);

/*
 * Sends the request. Calls xen_requests_subscribe first, unless the caller has
 * done so since the last request. Returns an enum request_outcome or a negative errno.
 */
int xen_requests_send(const struct xen_requests *requests, const struct domain_id *id,
		      enum mechanism mechanism);

/* Returns an enum retract_outcome or a negative errno. */
int xen_requests_retract(const struct xen_requests *requests, const struct domain_id *id,
			 enum mechanism mechanism, uint64_t cycle);

/* Returns -ENODATA if there is no agent, -EBADMSG if the agent's state is malformed. */
int xen_requests_get_agent_state(const struct xen_requests *requests, const struct domain_id *id,
				 struct agent_state *ret_state);

/* Returns -ENOTCONN if the agent has no port that dom0 can bind. */
int xen_requests_wake_agent(const struct xen_requests *requests, const struct domain_id *id);

#endif
