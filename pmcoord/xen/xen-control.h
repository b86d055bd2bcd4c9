/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_CONTROL_H
#define PMCOORD_XEN_XEN_CONTROL_H

/*
 * The hypercalls that pmcoord makes. xen-control.c is the only file that
 * includes xenctrl.h and xencall.h. This header uses no type from them.
 *
 * Unless described otherwise, a function makes one hypercall, and returns 0 or
 * a negative errno. Outputs are untouched on failure. The functions do not
 * check that a domid still belongs to the same domain (xen-domains.h does).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"

/* An open hypervisor interface. */
struct xen_control;

/* The largest number of domains that one call of xen_control_list_domains lists. */
#define XEN_DOMAINS_AT_ONCE 128

struct xen_domain {
	struct domain_id id;
	enum guest_type type;
	struct domain_state state;
	uint64_t cpu_time_ns; /* of all vCPUs since the domain was created */
	bool is_xenstore_domain; /* xenstored runs in this domain */
};

enum xen_port_state {
	XEN_PORT_OTHER, /* neither of the other states, e.g. closed */
	XEN_PORT_UNBOUND, /* `remote_domid` can bind the port */
	XEN_PORT_INTERDOMAIN, /* bound to `remote_port` of `remote_domid` */
};

struct xen_port {
	enum xen_port_state state;
	uint32_t remote_domid; /* not set in state XEN_PORT_OTHER */
	uint32_t remote_port; /* set only in state XEN_PORT_INTERDOMAIN */
};

/*
 * Opens the interface and checks that Xen accepts its version. Returns 0, or a
 * negative errno with `error` set: -EPROTO if pmcoord was built for another
 * version of Xen. Release: xen_control_free.
 */
int xen_control_open(struct xen_control **ret_control, struct error *error);
void xen_control_free(struct xen_control *control);

/*
 * Lists domains in ascending order of their domids, beginning with domid
 * `first`: at most `max` domains, and at most XEN_DOMAINS_AT_ONCE. Returns the
 * number of listed domains, or a negative errno. If the number is below both
 * limits, there are no more domains.
 */
int xen_control_list_domains(struct xen_control *control, uint32_t first,
			     struct xen_domain *ret_domains, size_t max);

/* Reads one domain. Returns -ESRCH if no domain has this domid. */
int xen_control_get_domain(struct xen_control *control, uint32_t domid,
			   struct xen_domain *ret_domain);

int xen_control_pause(struct xen_control *control, uint32_t domid);
int xen_control_unpause(struct xen_control *control, uint32_t domid);

/* Shuts the domain down with the reason "suspend", without a request to its kernel. */
int xen_control_suspend(struct xen_control *control, uint32_t domid);

/*
 * Sets the return value of a suspended domain's suspend hypercall to
 * "cancelled" (1). Makes three hypercalls for a PV domain, two for other
 * domains.
 */
int xen_control_cancel_suspend(struct xen_control *control, uint32_t domid, bool is_pv);

/* Lets a suspended domain run again, without the other steps of xc_domain_resume. */
int xen_control_resume(struct xen_control *control, uint32_t domid);

/*
 * Makes Xen send an event to dom0 from port `guest_port` of the domain when the
 * domain suspends. A `guest_port` of 0 ends the subscription. A domain has at
 * most one subscription: each call, even one of another program, replaces the
 * previous subscription.
 */
int xen_control_subscribe(struct xen_control *control, uint32_t domid, uint32_t guest_port);

/* Allocates a port of the domain that dom0 can bind. Returns the port or a negative errno. */
int xen_control_alloc_port(struct xen_control *control, uint32_t domid);

/* Reads the state of a guest's port. */
int xen_control_get_guest_port(struct xen_control *control, uint32_t domid, uint32_t port,
			       struct xen_port *ret_port);
/* Reads the state of a port of dom0. */
int xen_control_get_own_port(struct xen_control *control, uint32_t port, struct xen_port *ret_port);

/* Reads HVM_PARAM_CALLBACK_IRQ, which is 0 until PV drivers have set up their callback. */
int xen_control_get_callback_irq(struct xen_control *control, uint32_t domid, uint64_t *ret_value);
/* Reads HVM_PARAM_ACPI_S_STATE, which is 3 while the guest is in its own ACPI S3. */
int xen_control_get_acpi_state(struct xen_control *control, uint32_t domid, uint64_t *ret_value);

#endif
