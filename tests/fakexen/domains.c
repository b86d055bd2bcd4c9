/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/domains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenguest.h>
/* This must follow xenctrl.h, which defines types that hvm/params.h uses. */
#include <xen/hvm/params.h>

#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/faults.h"
#include "tests/fakexen/observer.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/virtual-time.h"

#define HYPERCALL_US 5
#define XEN_VERSION (4 << 16 | 17)
/* A domain consumes CPU time when it runs; how much is of no matter. */
#define CPU_TIME_NS 1000000

struct xc_interface_core {
	int unused;
};

struct xencall_handle {
	int unused;
};

static struct {
	struct fake_domain *first;
	uint32_t last_domid;
} domains;
static struct xc_interface_core the_interface;
static struct xencall_handle the_call;

/* ---- the list ----------------------------------------------------------- */

struct fake_domain *domains_find(uint32_t domid)
{
	struct fake_domain *domain = domains.first;

	while (domain && domain->domid != domid)
		domain = domain->next;
	return domain;
}

struct fake_domain *domains_next(uint32_t domid)
{
	struct fake_domain *domain = domains.first;

	while (domain && domain->domid <= domid)
		domain = domain->next;
	return domain;
}

uint32_t domains_next_domid(void)
{
	return domains.last_domid + 1;
}

struct fake_domain *domains_create(uint32_t domid, enum domain_kind kind)
{
	struct fake_domain *domain = calloc(1, sizeof(*domain));
	struct fake_domain **place = &domains.first;

	if (!domain || domains_find(domid))
		abort();
	*domain = (struct fake_domain){
		.domid = domid,
		.kind = kind,
		.pauses = 1,
		.width = 8,
		.callback_irq = kind == DOMAIN_PV ? 0 : 1,
	};
	while (*place && (*place)->domid < domid)
		place = &(*place)->next;
	domain->next = *place;
	*place = domain;
	if (domid > domains.last_domid)
		domains.last_domid = domid;
	event_channels_add_domain(domid);
	return domain;
}

static void free_domain(struct fake_domain *domain)
{
	struct fake_domain **place = &domains.first;

	while (*place != domain)
		place = &(*place)->next;
	*place = domain->next;
	free(domain);
}

void domains_start(void)
{
	struct fake_domain *dom0;

	domains_stop();
	dom0 = calloc(1, sizeof(*dom0));
	if (!dom0)
		abort();
	dom0->is_built = true;
	domains.first = dom0;
}

void domains_stop(void)
{
	while (domains.first)
		free_domain(domains.first);
	domains = (typeof(domains)){ 0 };
}

/* ---- changes ------------------------------------------------------------ */

bool domains_is_running(const struct fake_domain *domain)
{
	return domain->pauses == 0 && !domain->is_shut_down && !domain->is_dying;
}

static void notify(struct fake_domain *domain, enum domain_change change)
{
	if (domain->listener)
		domain->listener(domain->listener_data, domain, change);
}

/* Must follow each change of what domains_is_running depends on. */
static void notify_running(struct fake_domain *domain)
{
	bool is_running = domains_is_running(domain);

	if (is_running == domain->was_running)
		return;
	domain->was_running = is_running;
	if (is_running)
		domain->cpu_time_ns += CPU_TIME_NS;
	event_channels_set_running(domain->domid, is_running);
	notify(domain, is_running ? DOMAIN_RUNS : DOMAIN_STOPS);
}

static enum store_domain_state state_for_store(uint32_t domid)
{
	struct fake_domain *domain = domains_find(domid);

	if (!domain || domain->is_dying)
		return STORE_DOMAIN_IS_GONE;
	return domain->is_shut_down ? STORE_DOMAIN_IS_SHUT_DOWN : STORE_DOMAIN_RUNS;
}

void domains_pause(struct fake_domain *domain)
{
	domain->pauses++;
	observer_report_domain(OBSERVED_PAUSED, domain->domid);
	notify_running(domain);
}

bool domains_unpause(struct fake_domain *domain)
{
	if (domain->pauses == 0)
		return false;
	domain->pauses--;
	observer_report_domain(domain->is_built || domain->pauses > 0 ? OBSERVED_UNPAUSED
								      : OBSERVED_BEGAN,
			       domain->domid);
	domain->is_built |= domain->pauses == 0;
	notify_running(domain);
	return true;
}

static void shut_down(struct fake_domain *domain, enum domain_reason reason, bool in_hypercall)
{
	if (domain->is_shut_down)
		return;
	domain->is_shut_down = true;
	domain->in_hypercall = in_hypercall;
	domain->reason = reason;
	domain->result = 0;
	if (reason == REASON_SUSPEND) {
		domain->n_suspended++;
		domain->suspended_us = virtual_time_now();
	}
	observer_report_domain(reason == REASON_SUSPEND ? OBSERVED_SUSPENDED : OBSERVED_SHUT_DOWN,
			       domain->domid);
	notify_running(domain);
	if (reason == REASON_SUSPEND && domain->subscription != 0)
		event_channels_send(domain->domid, domain->subscription);
	else
		store_check_domains(state_for_store);
}

void domains_shut_down(struct fake_domain *domain, enum domain_reason reason)
{
	shut_down(domain, reason, true);
}

void domains_resume(struct fake_domain *domain, bool cancelled)
{
	if (!domain->is_shut_down)
		return;
	if (cancelled)
		domain->result = 1;
	domain->is_shut_down = false;
	domain->n_resumed++;
	domain->resumed_us = virtual_time_now();
	observer_report_domain(OBSERVED_RESUMED, domain->domid);
	if (domain->result != 1 && domain->in_hypercall)
		domain->n_not_cancelled++;
	notify(domain, DOMAIN_RESUMED);
	notify_running(domain);
}

static void end_domain(void *data)
{
	struct fake_domain *domain = data;

	notify(domain, DOMAIN_ENDS);
	event_channels_remove_domain(domain->domid);
	free_domain(domain);
	store_check_domains(state_for_store);
}

void domains_destroy(struct fake_domain *domain, uint64_t dying_us)
{
	if (domain->is_dying)
		return;
	domain->is_dying = true;
	observer_report_domain(OBSERVED_ENDED, domain->domid);
	notify_running(domain);
	event_channels_reset(domain->domid);
	store_check_domains(state_for_store);
	if (dying_us == 0)
		end_domain(domain);
	else
		virtual_time_after(dying_us, end_domain, domain);
}

/* ---- libxenctrl --------------------------------------------------------- */

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
				unsigned int flags)
{
	(void)logger;
	(void)dombuild_logger;
	(void)flags;
	return faults_hit("xc_interface_open", "") ? NULL : &the_interface;
}

int xc_interface_close(xc_interface *xch)
{
	(void)xch;
	return 0;
}

int xc_version(xc_interface *xch, int command, void *ret)
{
	(void)xch;
	(void)ret;
	return command == XENVER_version ? XEN_VERSION : -1;
}

/* Lets a hypercall take its time and finds its domain. Returns NULL with errno set on failure. */
static struct fake_domain *reach_domain(const char *function, uint32_t domid)
{
	struct fake_domain *domain;

	virtual_time_spend(HYPERCALL_US);
	if (faults_hit_domain(function, domid)) {
		int error = errno;

		observer_report(&(struct observed){
			.type = OBSERVED_CALL_FAILED,
			.domid = domid,
			.function = function,
		});
		errno = error;
		return NULL;
	}
	domain = domains_find(domid);
	if (!domain)
		errno = ESRCH;
	return domain;
}

static void describe(const struct fake_domain *domain, xc_domaininfo_t *info)
{
	*info = (xc_domaininfo_t){
		.domain = (domid_t)domain->domid,
		.cpu_time = domain->cpu_time_ns,
	};
	memcpy(info->handle, domain->uuid, DOMAIN_UUID_SIZE);
	if (domain->is_dying)
		info->flags |= XEN_DOMINF_dying;
	if (domain->pauses > 0)
		info->flags |= XEN_DOMINF_paused;
	if (domain->is_xenstore_domain)
		info->flags |= XEN_DOMINF_xs_domain;
	if (domain->is_shut_down)
		info->flags |= XEN_DOMINF_shutdown | (uint32_t)domain->reason
							     << XEN_DOMINF_shutdownshift;
	else
		/* Xen's code for "not shut down" fills the field. */
		info->flags |= XEN_DOMINF_shutdownmask << XEN_DOMINF_shutdownshift;
	if (domain->kind != DOMAIN_PV)
		info->flags |= XEN_DOMINF_hvm_guest;
	if (domain->kind == DOMAIN_PVH)
		info->arch_config.emulation_flags = XEN_X86_EMU_LAPIC;
	if (domain->kind == DOMAIN_HVM)
		info->arch_config.emulation_flags = XEN_X86_EMU_ALL;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned int max, xc_domaininfo_t *ret)
{
	unsigned int n = 0;

	(void)xch;
	virtual_time_spend(HYPERCALL_US);
	if (faults_hit_domain("xc_domain_getinfolist", first))
		return -1;
	for (struct fake_domain *domain = domains.first; domain && n < max; domain = domain->next)
		if (domain->domid >= first)
			describe(domain, &ret[n++]);
	return (int)n;
}

int xc_domain_pause(xc_interface *xch, uint32_t domid)
{
	struct fake_domain *domain = reach_domain("xc_domain_pause", domid);

	(void)xch;
	if (!domain)
		return -1;
	domains_pause(domain);
	return 0;
}

int xc_domain_unpause(xc_interface *xch, uint32_t domid)
{
	struct fake_domain *domain = reach_domain("xc_domain_unpause", domid);

	(void)xch;
	if (!domain)
		return -1;
	if (domains_unpause(domain))
		return 0;
	errno = EINVAL;
	return -1;
}

int xc_domain_shutdown(xc_interface *xch, uint32_t domid, int reason)
{
	struct fake_domain *domain = reach_domain("xc_domain_shutdown", domid);

	(void)xch;
	if (!domain)
		return -1;
	shut_down(domain, (enum domain_reason)reason, false);
	return 0;
}

int xc_domain_resume(xc_interface *xch, uint32_t domid, int fast)
{
	struct fake_domain *domain = reach_domain("xc_domain_resume", domid);

	(void)xch;
	if (!domain)
		return -1;
	domains_resume(domain, fast);
	return 0;
}

int xc_domain_subscribe_for_suspend(xc_interface *xch, uint32_t domid, evtchn_port_t port)
{
	struct fake_domain *domain = reach_domain("xc_domain_subscribe_for_suspend", domid);

	(void)xch;
	if (!domain)
		return -1;
	domain->subscription = port;
	return 0;
}

int xc_hvm_param_get(xc_interface *xch, uint32_t domid, uint32_t param, uint64_t *ret)
{
	struct fake_domain *domain = reach_domain("xc_hvm_param_get", domid);

	(void)xch;
	if (!domain)
		return -1;
	if (domain->kind == DOMAIN_PV) {
		errno = EINVAL;
		return -1;
	}
	*ret = param == HVM_PARAM_CALLBACK_IRQ	 ? domain->callback_irq
	       : param == HVM_PARAM_ACPI_S_STATE ? domain->acpi_state
						 : 0;
	return 0;
}

int xc_domain_get_guest_width(xc_interface *xch, uint32_t domid, unsigned int *ret_width)
{
	struct fake_domain *domain = reach_domain("xc_domain_get_guest_width", domid);

	(void)xch;
	if (!domain)
		return 1;
	*ret_width = domain->width;
	return 0;
}

int xc_vcpu_getcontext(xc_interface *xch, uint32_t domid, uint32_t vcpu,
		       vcpu_guest_context_any_t *ret)
{
	struct fake_domain *domain = reach_domain("xc_vcpu_getcontext", domid);

	(void)xch;
	(void)vcpu;
	if (!domain)
		return -1;
	memset(ret, 0, sizeof(*ret));
	if (domain->width == 8 || domain->kind != DOMAIN_PV)
		ret->x64.user_regs.rax = domain->result;
	else
		ret->x32.user_regs.eax = (uint32_t)domain->result;
	return 0;
}

int xc_vcpu_setcontext(xc_interface *xch, uint32_t domid, uint32_t vcpu,
		       vcpu_guest_context_any_t *context)
{
	struct fake_domain *domain = reach_domain("xc_vcpu_setcontext", domid);

	(void)xch;
	(void)vcpu;
	if (!domain)
		return -1;
	if (!domain->is_shut_down || !domain->in_hypercall)
		domain->n_corrupted++;
	domain->result = domain->width == 8 || domain->kind != DOMAIN_PV
				 ? context->x64.user_regs.rax
				 : context->x32.user_regs.eax;
	return 0;
}

/* ---- libxencall --------------------------------------------------------- */

xencall_handle *xencall_open(xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return faults_hit("xencall_open", "") ? NULL : &the_call;
}

int xencall_close(xencall_handle *call)
{
	(void)call;
	return 0;
}

void *xencall_alloc_buffer(xencall_handle *call, size_t size)
{
	(void)call;
	return calloc(1, size);
}

void xencall_free_buffer(xencall_handle *call, void *buffer)
{
	(void)call;
	free(buffer);
}

int xencall1(xencall_handle *call, unsigned int op, uint64_t argument)
{
	const struct xen_domctl *domctl = (const struct xen_domctl *)(uintptr_t)argument;
	struct fake_domain *domain;

	(void)call;
	if (op != __HYPERVISOR_domctl || domctl->cmd != XEN_DOMCTL_resumedomain ||
	    domctl->interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
		errno = ENOSYS;
		return -1;
	}
	domain = reach_domain("xencall1", domctl->domain);
	if (!domain)
		return -1;
	domains_resume(domain, false);
	return 0;
}
