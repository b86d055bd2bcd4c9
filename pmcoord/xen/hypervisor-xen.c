/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/hypervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "xen/xen-channels.h"
#include "xen/xen-control.h"
#include "xen/xen-domains.h"
#include "xen/xen-examine.h"
#include "xen/xen-inventory.h"
#include "xen/xen-requests.h"
#include "xen/xen-store.h"
#include "xen/xen-watches.h"

/*
 * A domain whose hypercall returns "cancelled" when it goes on, unless it has
 * run in between: then it waits in another one.
 */
struct told_domain {
	struct domain_id id;
	uint64_t cpu_time_ns;
};

struct xen {
	struct hypervisor hypervisor;
	struct xen_control *control;
	struct told_domain *told; /* prepared for their resume */
	size_t n_told;
	struct xen_channels *channels;
	struct xen_store *store;
	struct xen_watches *watches;
	int epoll_fd;
	struct xen_inventory *inventory;
	struct xen_requests requests;
};

static struct xen *xen_of(struct hypervisor *hypervisor)
{
	return (struct xen *)hypervisor;
}

/* ---- domains ------------------------------------------------------------ */

static int xen_get_state(struct hypervisor *hypervisor, const struct domain_id *id,
			 struct domain_state *ret_state)
{
	return xen_domains_get_state(xen_of(hypervisor)->control, id, ret_state);
}

static int xen_inventory(struct hypervisor *hypervisor, struct inventory *ret_inventory,
			 struct error *error)
{
	int r = xen_inventory_read(xen_of(hypervisor)->inventory, ret_inventory);

	return r < 0 ? error_set(error, r, "cannot read the list of guests: %s", strerror(-r)) : 0;
}

static int check_identity(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_domains_check(xen_of(hypervisor)->control, id);
}

/* ---- who waits in a hypercall that returns "cancelled" ------------------- */

static int note_told(struct xen *xen, const struct domain_id *id, const struct xen_domain *domain)
{
	struct told_domain *told = reallocarray(xen->told, xen->n_told + 1, sizeof(*told));

	if (!told)
		return -ENOMEM;
	xen->told = told;
	told[xen->n_told++] = (struct told_domain){ *id, domain->cpu_time_ns };
	return 0;
}

static struct told_domain *find_told(struct xen *xen, const struct domain_id *id)
{
	for (size_t i = 0; i < xen->n_told; i++)
		if (domain_id_equal(&xen->told[i].id, id))
			return &xen->told[i];
	return NULL;
}

static void forget_told(struct xen *xen, const struct domain_id *id)
{
	struct told_domain *told = find_told(xen, id);

	if (told)
		*told = xen->told[--xen->n_told];
}

/* Whether it was told and still waits in the same hypercall; forgets it. */
static bool take_told(struct xen *xen, const struct domain_id *id, const struct xen_domain *domain)
{
	const struct told_domain *told = find_told(xen, id);
	bool still_waits = told && told->cpu_time_ns == domain->cpu_time_ns;

	forget_told(xen, id);
	return still_waits;
}

/* ---- following domains -------------------------------------------------- */

static void on_domain_gone(void *data, const struct domain_id *id)
{
	struct xen *xen = data;

	forget_told(xen, id);
	xen_channels_forget_domain(xen->channels, id);
}

static int xen_watch_domains(struct hypervisor *hypervisor)
{
	struct xen *xen = xen_of(hypervisor);

	return xen_inventory_watch_domains(xen->inventory, on_domain_gone, xen);
}

/* ---- requests ----------------------------------------------------------- */

static int xen_prepare(struct hypervisor *hypervisor, const struct guest *guest,
		       enum mechanism mechanism)
{
	return xen_requests_prepare(&xen_of(hypervisor)->requests, guest, mechanism);
}

static int xen_arm(struct hypervisor *hypervisor, const struct domain_id *id, uint64_t cycle,
		   const struct agent_terms *terms)
{
	return xen_requests_arm(&xen_of(hypervisor)->requests, id, cycle, terms);
}

static int xen_subscribe(struct hypervisor *hypervisor, const struct domain_id *id,
			 enum mechanism mechanism)
{
	return xen_requests_subscribe(&xen_of(hypervisor)->requests, id, mechanism);
}

static int xen_request(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism)
{
	return xen_requests_send(&xen_of(hypervisor)->requests, id, mechanism);
}

static int xen_retract(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism, uint64_t cycle)
{
	return xen_requests_retract(&xen_of(hypervisor)->requests, id, mechanism, cycle);
}

static int xen_get_agent_state(struct hypervisor *hypervisor, const struct domain_id *id,
			       struct agent_state *ret_state)
{
	return xen_requests_get_agent_state(&xen_of(hypervisor)->requests, id, ret_state);
}

static int xen_unsubscribe(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_channels_unsubscribe(xen_of(hypervisor)->channels, id);
}

static int xen_wake_agent(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_requests_wake_agent(&xen_of(hypervisor)->requests, id);
}

/* ---- pausing and coming back -------------------------------------------- */

static int xen_pause(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_domains_pause(xen_of(hypervisor)->control, id);
}

static int xen_unpause(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_domains_unpause(xen_of(hypervisor)->control, id);
}

/* Whether a guest that is down waits for its suspend hypercall to return. */
static bool waits_in_hypercall(struct xen *xen, const struct xen_domain *domain)
{
	uint64_t callback = 0;

	if (domain->type == GUEST_PV)
		return true;
	/* Without PV drivers it was put into the state from outside. */
	return xen_control_get_callback_irq(xen->control, domain->id.domid, &callback) == 0 &&
	       callback != 0;
}

/*
 * Has the guest's suspend hypercall return "cancelled", so that its frontends
 * keep their rings: starting over breaks disks, networks and passthrough of a
 * domain that stays in place.
 */
static int tell_cancelled(struct xen *xen, const struct xen_domain *domain)
{
	if (!waits_in_hypercall(xen, domain))
		return 0;
	return xen_control_cancel_suspend(xen->control, domain->id.domid, domain->type == GUEST_PV);
}

/*
 * Between the first guest that runs again and the last, each hypercall competes
 * with those that run already: what can be done before is done here.
 */
static int xen_prepare_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct xen *xen = xen_of(hypervisor);
	struct xen_domain domain;
	int r = xen_domains_read_suspended(xen->control, id, &domain);

	if (r == 0 && !take_told(xen, id, &domain))
		r = tell_cancelled(xen, &domain);
	return r < 0 ? r : note_told(xen, id, &domain);
}

static int xen_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct xen *xen = xen_of(hypervisor);
	struct xen_domain domain;
	int r = xen_domains_read_suspended(xen->control, id, &domain);

	if (r == 0 && !take_told(xen, id, &domain))
		r = tell_cancelled(xen, &domain);
	return r < 0 ? r : xen_control_resume(xen->control, id->domid);
}

static int xen_resume_in_xenstore(struct hypervisor *hypervisor, const struct domain_id *id)
{
	int r = check_identity(hypervisor, id);

	if (r < 0)
		return r;
	return xen_store_resume_domain(xen_of(hypervisor)->store, id->domid);
}

/* ---- events ------------------------------------------------------------- */

static int xen_fd(struct hypervisor *hypervisor)
{
	return xen_of(hypervisor)->epoll_fd;
}

/* Watches first: an agent's `quiesced` comes before its domain is down. */
static int xen_next_event(struct hypervisor *hypervisor, uint32_t *ret_domid)
{
	struct xen *xen = xen_of(hypervisor);
	int r = xen_inventory_next_change(xen->inventory, ret_domid);

	return r != 0 ? r : xen_channels_next(xen->channels, ret_domid);
}

/* ---- opening and closing ------------------------------------------------ */

static void xen_close(struct hypervisor *hypervisor)
{
	struct xen *xen = xen_of(hypervisor);

	if (xen->epoll_fd >= 0)
		close(xen->epoll_fd);
	xen_inventory_free(xen->inventory);
	xen_channels_free(xen->channels);
	xen_store_free(xen->store);
	xen_watches_free(xen->watches);
	xen_control_free(xen->control);
	free(xen->told);
	free(xen);
}

static int xen_examine(struct hypervisor *hypervisor, const struct guest *guest,
		       struct guest_examination *ret_examination)
{
	struct xen *xen = xen_of(hypervisor);

	return xen_examine_guest(xen->control, xen->store, guest, ret_examination);
}

static const struct hypervisor_ops xen_ops = {
	.name = "xen",
	.close = xen_close,
	.watch_domains = xen_watch_domains,
	.inventory = xen_inventory,
	.examine = xen_examine,
	.prepare = xen_prepare,
	.arm = xen_arm,
	.subscribe = xen_subscribe,
	.request = xen_request,
	.retract = xen_retract,
	.get_state = xen_get_state,
	.get_agent_state = xen_get_agent_state,
	.unsubscribe = xen_unsubscribe,
	.pause = xen_pause,
	.unpause = xen_unpause,
	.prepare_resume = xen_prepare_resume,
	.resume = xen_resume,
	.resume_in_xenstore = xen_resume_in_xenstore,
	.wake_agent = xen_wake_agent,
	.fd = xen_fd,
	.next_event = xen_next_event,
};

/* /proc/xen/capabilities says "control_d" in dom0 and nothing in a guest. */
static int check_is_dom0(struct error *error)
{
	_cleanup_(fclosep) FILE *file = fopen("/proc/xen/capabilities", "re");
	char text[64] = "";

	if (!file)
		return error_set(
			error, -ENODEV,
			"this system does not run on Xen (there is no /proc/xen/capabilities): boot the Xen entry");
	if (!fgets(text, sizeof(text), file) || !strstr(text, "control_d"))
		return error_set(
			error, -ENODEV,
			"this is a Xen guest, not dom0: run pmcoord in dom0, and pmcoord-agent here");
	return 0;
}

static int open_xenstore(struct xen *xen, struct error *error)
{
	int r = -ECONNREFUSED;

	if (xen_store_daemon_listens() || xen_domains_have_xenstore(xen->control))
		r = xen_store_open(&xen->store);
	if (r == 0)
		r = xen_watches_open(&xen->watches);
	return r < 0 ? error_set(error, -ECONNREFUSED,
				 "xenstored does not answer: start xenstored.service")
		     : 0;
}

static int open_rooms(struct xen *xen, const char *run_directory, int kept_fd, struct error *error)
{
	int r = xen_control_open(&xen->control, error);

	if (r == 0)
		r = xen_channels_open(xen->control, run_directory, kept_fd, &xen->channels, error);
	if (r == 0)
		r = open_xenstore(xen, error);
	if (r == 0)
		r = xen_inventory_new(xen->control, xen->store, xen->watches, &xen->inventory);
	if (r == 0)
		r = directory_make(run_directory);
	if (r < 0)
		return r;
	xen->requests = (struct xen_requests){
		.control = xen->control,
		.store = xen->store,
		.watches = xen->watches,
		.channels = xen->channels,
		.inventory = xen->inventory,
	};
	xen_channels_load(xen->channels);
	return 0;
}

static int add_to_epoll(struct xen *xen, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(xen->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_events(struct xen *xen, struct error *error)
{
	int r;

	xen->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = xen->epoll_fd < 0 ? -errno : xen_watches_watch_releases(xen->watches);
	if (r == 0)
		r = add_to_epoll(xen, xen_watches_fd(xen->watches));
	if (r == 0)
		r = add_to_epoll(xen, xen_channels_fd(xen->channels));
	return r < 0 ? error_set(error, r, "cannot wait for events of Xen: %s", strerror(-r)) : 0;
}

int hypervisor_xen_channels_fd(struct hypervisor *hypervisor)
{
	return xen_channels_fd(xen_of(hypervisor)->channels);
}

int hypervisor_xen_open(const char *run_directory, int kept_fd, struct hypervisor **ret_hypervisor,
			struct error *error)
{
	struct xen *xen;
	int r;

	if (geteuid() != 0)
		return error_set(error, -EPERM, "only root can suspend guests: use sudo");
	r = check_is_dom0(error);
	if (r < 0)
		return r;
	xen = calloc(1, sizeof(*xen));
	if (!xen)
		return error_set(error, -ENOMEM, "out of memory");
	xen->hypervisor.ops = &xen_ops;
	xen->epoll_fd = -EBADF;
	r = open_rooms(xen, run_directory, kept_fd, error);
	if (r == 0)
		r = open_events(xen, error);
	if (r < 0) {
		xen_close(&xen->hypervisor);
		return error_set(error, r, "cannot use Xen: %s", strerror(-r));
	}
	*ret_hypervisor = &xen->hypervisor;
	return 0;
}
