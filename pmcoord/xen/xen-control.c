/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-control.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xentoollog.h>
/* This must follow xenctrl.h, which defines types that hvm/params.h uses. */
#include <xen/hvm/params.h>

#include "model/domain-id.h"
#include "model/inventory.h"

struct xen_control {
	xc_interface *xc;
	xencall_handle *call;
	struct xen_domctl *resume_call; /* argument of the resume hypercall, readable by Xen */
	xentoollog_logger *log;
};

/* Converts a result of libxenctrl or libxencall, which return -1 with errno set on failure. */
static int to_errno(int result)
{
	return result < 0 ? -errno : 0;
}

/* ---- opening ------------------------------------------------------------ */

static int explain_version(struct xen_control *control, struct error *error)
{
	int version = xc_version(control->xc, XENVER_version, NULL);

	return error_set(
		error, -EPROTO,
		"this is Xen %d.%d, but pmcoord was built for Xen %s: install a pmcoord that was built for this version of Xen",
		version >> 16, version & 0xffff, PMCOORD_XEN_VERSION);
}

static int open_interface(struct xen_control *control, struct error *error)
{
	xc_domaininfo_t info;

	control->xc = xc_interface_open(control->log, NULL, 0);
	if (!control->xc)
		return error_set(error, -errno,
				 "cannot open the hypervisor interface (/dev/xen/privcmd): %s",
				 strerror(errno));
	if (xc_domain_getinfolist(control->xc, 0, 1, &info) >= 0)
		return 0;
	/* Xen returns EACCES if its interface has another version than libxenctrl's. */
	if (errno == EACCES)
		return explain_version(control, error);
	return error_set(error, -errno, "cannot list Xen's domains: %s", strerror(errno));
}

static int open_resume_call(struct xen_control *control, struct error *error)
{
	control->call = xencall_open(control->log, 0);
	if (control->call)
		control->resume_call =
			xencall_alloc_buffer(control->call, sizeof(*control->resume_call));
	if (control->resume_call)
		return 0;
	return error_set(error, -errno,
			 "cannot open the hypervisor interface (/dev/xen/hypercall): %s",
			 strerror(errno));
}

int xen_control_open(struct xen_control **ret_control, struct error *error)
{
	struct xen_control *control = calloc(1, sizeof(*control));
	int r;

	assert(ret_control);
	if (!control)
		return error_set(error, -ENOMEM, "out of memory");
	/* Print only critical messages, because failures are returned as errno. */
	control->log = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	r = open_interface(control, error);
	if (r == 0)
		r = open_resume_call(control, error);
	if (r < 0) {
		xen_control_free(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

void xen_control_free(struct xen_control *control)
{
	if (!control)
		return;
	if (control->resume_call)
		xencall_free_buffer(control->call, control->resume_call);
	if (control->call)
		xencall_close(control->call);
	if (control->xc)
		xc_interface_close(control->xc);
	if (control->log)
		xtl_logger_destroy(control->log);
	free(control);
}

/* ---- domains ------------------------------------------------------------ */

static enum guest_type get_type(const xc_domaininfo_t *info)
{
	if (!(info->flags & XEN_DOMINF_hvm_guest))
		return GUEST_PV;
	/* A PVH guest has no emulated device except the local APIC. */
	return info->arch_config.emulation_flags & ~(uint32_t)XEN_X86_EMU_LAPIC ? GUEST_HVM
										: GUEST_PVH;
}

static enum guest_state get_state(const xc_domaininfo_t *info)
{
	unsigned int reason = (info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;

	if (info->flags & XEN_DOMINF_dying)
		return GUEST_DYING;
	if (info->flags & XEN_DOMINF_shutdown)
		return reason == SHUTDOWN_suspend ? GUEST_SUSPENDED : GUEST_SHUT_DOWN;
	return info->flags & XEN_DOMINF_paused ? GUEST_PAUSED : GUEST_RUNNING;
}

/* A domain keeps the reason of its shutdown until Xen has freed it. */
static enum guest_end get_end(const xc_domaininfo_t *info)
{
	if (!(info->flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)))
		return GUEST_NOT_ENDED;
	if (!(info->flags & XEN_DOMINF_shutdown))
		return GUEST_DESTROYED;
	switch ((info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask) {
	case SHUTDOWN_poweroff:
		return GUEST_POWERED_OFF;
	case SHUTDOWN_reboot:
	case SHUTDOWN_soft_reset:
		return GUEST_REBOOTED;
	case SHUTDOWN_crash:
	case SHUTDOWN_watchdog:
		return GUEST_CRASHED;
	case SHUTDOWN_suspend:
	default:
		return info->flags & XEN_DOMINF_dying ? GUEST_DESTROYED : GUEST_NOT_ENDED;
	}
}

static void convert_domain(const xc_domaininfo_t *info, struct xen_domain *ret)
{
	*ret = (struct xen_domain){
		.id.domid = info->domain,
		.type = get_type(info),
		.state.state = get_state(info),
		.state.paused = info->flags & XEN_DOMINF_paused,
		/* Xen creates a domain paused; its time grows from the first unpause on. */
		.state.being_built = get_state(info) == GUEST_PAUSED && info->cpu_time == 0,
		.state.end = get_end(info),
		.cpu_time_ns = info->cpu_time,
		.is_xenstore_domain = info->flags & XEN_DOMINF_xs_domain,
	};
	memcpy(ret->id.uuid, info->handle, GUEST_UUID_SIZE);
}

int xen_control_list_domains(struct xen_control *control, uint32_t first,
			     struct xen_domain *ret_domains, size_t max)
{
	xc_domaininfo_t infos[XEN_DOMAINS_AT_ONCE];
	int n = xc_domain_getinfolist(
		control->xc, first,
		(unsigned int)(max < XEN_DOMAINS_AT_ONCE ? max : XEN_DOMAINS_AT_ONCE), infos);

	assert(ret_domains && max > 0);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++)
		convert_domain(&infos[i], &ret_domains[i]);
	return n;
}

int xen_control_get_domain(struct xen_control *control, uint32_t domid,
			   struct xen_domain *ret_domain)
{
	xc_domaininfo_t info;
	int n = xc_domain_getinfolist(control->xc, domid, 1, &info);

	assert(ret_domain);
	if (n < 0)
		return -errno;
	/* Xen returns the first domain that has this domid or a higher one. */
	if (n == 0 || info.domain != domid)
		return -ESRCH;
	convert_domain(&info, ret_domain);
	return 0;
}

int xen_control_pause(struct xen_control *control, uint32_t domid)
{
	return to_errno(xc_domain_pause(control->xc, domid));
}

int xen_control_unpause(struct xen_control *control, uint32_t domid)
{
	return to_errno(xc_domain_unpause(control->xc, domid));
}

int xen_control_suspend(struct xen_control *control, uint32_t domid)
{
	return to_errno(xc_domain_shutdown(control->xc, domid, SHUTDOWN_suspend));
}

static int get_hvm_param(struct xen_control *control, uint32_t domid, uint32_t param,
			 uint64_t *ret_value)
{
	uint64_t value;

	if (xc_hvm_param_get(control->xc, domid, param, &value) < 0)
		return -errno;
	*ret_value = value;
	return 0;
}

int xen_control_get_callback_irq(struct xen_control *control, uint32_t domid, uint64_t *ret_value)
{
	assert(ret_value);
	return get_hvm_param(control, domid, HVM_PARAM_CALLBACK_IRQ, ret_value);
}

int xen_control_get_acpi_state(struct xen_control *control, uint32_t domid, uint64_t *ret_value)
{
	assert(ret_value);
	return get_hvm_param(control, domid, HVM_PARAM_ACPI_S_STATE, ret_value);
}

/* ---- resume ------------------------------------------------------------- */

/*
 * Sets the return value of the suspend hypercall as xc_domain_resume does if
 * its parameter `fast` is set (libxenctrl's xc_resume.c).
 */
int xen_control_cancel_suspend(struct xen_control *control, uint32_t domid, bool is_pv)
{
	vcpu_guest_context_any_t context;
	/* The size of a register in bytes: 8, or 4 for a 32-bit PV guest. */
	unsigned int width = sizeof(uint64_t);

	/* This one returns 1 on failure. */
	if (is_pv && xc_domain_get_guest_width(control->xc, domid, &width) != 0)
		return -errno;
	if (xc_vcpu_getcontext(control->xc, domid, 0, &context) < 0)
		return -errno;
	if (width == sizeof(uint64_t))
		context.x64.user_regs.rax = 1;
	else
		context.x32.user_regs.eax = 1;
	return to_errno(xc_vcpu_setcontext(control->xc, domid, 0, &context));
}

/* Makes only the last hypercall of xc_domain_resume; libxenctrl has no function for that. */
int xen_control_resume(struct xen_control *control, uint32_t domid)
{
	*control->resume_call = (struct xen_domctl){
		.cmd = XEN_DOMCTL_resumedomain,
		.interface_version = XEN_DOMCTL_INTERFACE_VERSION,
		.domain = (domid_t)domid,
	};
	return to_errno(xencall1(control->call, __HYPERVISOR_domctl,
				 (uint64_t)(uintptr_t)control->resume_call));
}

/* ---- event channels ----------------------------------------------------- */

int xen_control_subscribe(struct xen_control *control, uint32_t domid, uint32_t guest_port)
{
	return to_errno(xc_domain_subscribe_for_suspend(control->xc, domid, guest_port));
}

int xen_control_alloc_port(struct xen_control *control, uint32_t domid)
{
	int port = xc_evtchn_alloc_unbound(control->xc, domid, 0);

	return port < 0 ? -errno : port;
}

static int get_port(struct xen_control *control, domid_t domid, uint32_t port,
		    struct xen_port *ret_port)
{
	xc_evtchn_status_t status = { .dom = domid, .port = port };

	if (xc_evtchn_status(control->xc, &status) < 0)
		return -errno;
	*ret_port = (struct xen_port){ .state = XEN_PORT_OTHER };
	if (status.status == EVTCHNSTAT_unbound) {
		ret_port->state = XEN_PORT_UNBOUND;
		ret_port->remote_domid = status.u.unbound.dom;
	} else if (status.status == EVTCHNSTAT_interdomain) {
		ret_port->state = XEN_PORT_INTERDOMAIN;
		ret_port->remote_domid = status.u.interdomain.dom;
		ret_port->remote_port = status.u.interdomain.port;
	}
	return 0;
}

int xen_control_get_guest_port(struct xen_control *control, uint32_t domid, uint32_t port,
			       struct xen_port *ret_port)
{
	assert(ret_port);
	return get_port(control, (domid_t)domid, port, ret_port);
}

int xen_control_get_own_port(struct xen_control *control, uint32_t port, struct xen_port *ret_port)
{
	assert(ret_port);
	return get_port(control, DOMID_SELF, port, ret_port);
}
