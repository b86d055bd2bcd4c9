/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_DOMAINS_H
#define PMCOORD_XEN_XEN_DOMAINS_H

/*
 * Hypercalls on domains that are identified by domid and UUID, because Xen
 * reuses domids. Each function that takes a domain_id checks that the domain of
 * this domid has this UUID.
 *
 * Unless described otherwise, functions return 0, -ESRCH if no domain has this
 * domid and UUID, or another negative errno. Outputs are untouched on failure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "xen/xen-control.h"

/* Checks that the domain exists. */
int xen_domains_check(struct xen_control *control, const struct domain_id *id);

int xen_domains_read(struct xen_control *control, const struct domain_id *id,
		     struct xen_domain *ret_domain);

/* Does what xen_domains_read does, but returns -EBUSY for a domain that is not suspended. */
int xen_domains_read_suspended(struct xen_control *control, const struct domain_id *id,
			       struct xen_domain *ret_domain);

/* Reads the domain's state, which is GUEST_GONE if the domain no longer exists. */
int xen_domains_get_state(struct xen_control *control, const struct domain_id *id,
			  struct domain_state *ret_state);

int xen_domains_pause(struct xen_control *control, const struct domain_id *id);
int xen_domains_unpause(struct xen_control *control, const struct domain_id *id);

/*
 * Lists all domains but dom0 and the xenstore domain, in ascending order of their domids. The
 * caller frees *ret_domains.
 */
int xen_domains_list(struct xen_control *control, struct listed_domain **ret_domains,
		     size_t *ret_n);

/*
 * Whether xenstored runs in its own domain. Checks only the first
 * XEN_DOMAINS_AT_ONCE domains.
 */
bool xen_domains_have_xenstore(struct xen_control *control);

#endif
