/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_CONTROL_H
#define PMCOORD_XEN_XEN_CONTROL_H

/*
 * Hypercalls: one function for each that pmcoord makes. xen-control.c is the
 * only file that includes xenctrl.h and xencall.h; this header has none of their
 * types.
 *
 * Unless said otherwise a function makes one hypercall and returns 0 or a
 * negative errno; outputs are untouched on failure. A domid is used as given:
 * xen-domains.c checks that it is still the same domain.
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

/* The most domains that one hypercall lists. */
#define XEN_DOMAINS_AT_ONCE 128

struct xen_domain {
	struct domain_id id;
	enum guest_type type;
	struct domain_state state;
	uint64_t cpu_time_ns; /* of all its vCPUs since its creation */
	bool is_xenstore_domain;
};

enum xen_port_state {
	XEN_PORT_OTHER,
	XEN_PORT_UNBOUND, /* waits for `remote_domid` to bind it */
	XEN_PORT_INTERDOMAIN,
};

struct xen_port {
	enum xen_port_state state;
	uint32_t remote_domid; /* unless XEN_PORT_OTHER */
	uint32_t remote_port; /* XEN_PORT_INTERDOMAIN */
};

/*
 * Opens the interface and checks that Xen accepts its version. On failure
 * `error` is set; -EPROTO: this is another Xen version than pmcoord was built
 * for. Release: xen_control_free.
 */
int xen_control_open(struct xen_control **ret_control, struct error *error);
void xen_control_free(struct xen_control *control);

/*
 * Lists domains with domids from `first` on, in ascending order, at most `max`
 * and XEN_DOMAINS_AT_ONCE. Returns their number (fewer: there are no more) or a
 * negative errno.
 */
int xen_control_list_domains(struct xen_control *control, uint32_t first,
			     struct xen_domain *ret_domains, size_t max);

/* -ESRCH: there is no domain of this domid. */
int xen_control_get_domain(struct xen_control *control, uint32_t domid,
			   struct xen_domain *ret_domain);

int xen_control_pause(struct xen_control *control, uint32_t domid);
int xen_control_unpause(struct xen_control *control, uint32_t domid);

/* Shuts the domain down from outside, with the reason "suspend". */
int xen_control_suspend(struct xen_control *control, uint32_t domid);

/*
 * Sets the return value of a suspended domain's suspend hypercall to "cancelled"
 * (1). Three hypercalls for a PV domain, two for others.
 */
int xen_control_cancel_suspend(struct xen_control *control, uint32_t domid, bool is_pv);

/* Lets a suspended domain run again, without any of libxenctrl's other steps. */
int xen_control_resume(struct xen_control *control, uint32_t domid);

/*
 * Makes Xen signal this port of the domain when it suspends; 0: no port. A domain
 * has one subscription: each call, also of another program, replaces the last.
 */
int xen_control_subscribe(struct xen_control *control, uint32_t domid, uint32_t guest_port);

/* Allocates a port of the domain for dom0. Returns it, or a negative errno. */
int xen_control_alloc_port(struct xen_control *control, uint32_t domid);

/* A port of a guest, or of dom0 itself. */
int xen_control_get_guest_port(struct xen_control *control, uint32_t domid, uint32_t port,
			       struct xen_port *ret_port);
int xen_control_get_own_port(struct xen_control *control, uint32_t port, struct xen_port *ret_port);

/* HVM_PARAM_CALLBACK_IRQ: 0 until PV drivers have set up their callback. */
int xen_control_get_callback_irq(struct xen_control *control, uint32_t domid, uint64_t *ret_value);
/* HVM_PARAM_ACPI_S_STATE: 3 while the guest's own firmware is in S3. */
int xen_control_get_acpi_state(struct xen_control *control, uint32_t domid, uint64_t *ret_value);

#endif
