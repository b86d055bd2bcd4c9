/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The verbs of hypervisor.h on Xen. Opens the other modules of xen/, and passes
 * each verb on to one of these modules.
 */

#include "xen/hypervisor-xen.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "xen/xen-channels.h"
#include "xen/xen-control.h"
#include "xen/xen-domains.h"
#include "xen/xen-examine.h"
#include "xen/xen-inventory.h"
#include "xen/xen-requests.h"
#include "xen/xen-resume.h"
#include "xen/xen-savers.h"
#include "xen/xen-shutdown-nodes.h"
#include "xen/xen-store.h"
#include "xen/xen-watches.h"

/* The most events that next_event returns before it returns 0, see op_next_event. */
#define EVENTS_PER_TURN 256

/* What next_event has returned since it last returned 0. */
struct turn {
	bool has_read_changes; /* xen_inventory_read_changes was called */
	size_t n_events;
	size_t next_muted_domain, next_muted_channel; /* see xen_watches_next_muted */
};

struct xen {
	struct hypervisor hypervisor;
	struct xen_control *control;
	struct xen_store *store;
	struct xen_watches *watches;
	struct xen_channels *channels;
	struct xen_inventory *inventory;
	struct xen_requests requests;
	struct xen_resume *resume;
	struct xen_shutdown_nodes *nodes;
	struct turn turn;
	bool is_connected; /* connect_to_xenstored has succeeded */
	int epoll_fd;
	int changes_fd; /* eventfd, readable while an inventory has left changes to next_event */
};

static struct xen *xen_of(struct hypervisor *hypervisor)
{
	return (struct xen *)hypervisor;
}

/* ---- the connection to xenstored ----------------------------------------- */

static int open_xenstore(struct xen *xen)
{
	int r = 0;

	if (!xen->store && !xen_store_daemon_listens() && !xen_domains_have_xenstore(xen->control))
		return -ECONNREFUSED;
	if (!xen->store)
		r = xen_store_open(&xen->store);
	if (r == 0 && !xen->watches)
		r = xen_watches_open(&xen->watches);
	return r < 0 ? -ECONNREFUSED : 0;
}

static int new_modules(struct xen *xen)
{
	int r = 0;

	if (!xen->inventory)
		r = xen_inventory_new(xen->control, xen->store, xen->watches, &xen->inventory);
	if (r == 0 && !xen->nodes)
		r = xen_shutdown_nodes_new(xen->store, xen->watches, &xen->nodes);
	xen->requests = (struct xen_requests){
		.control = xen->control,
		.store = xen->store,
		.watches = xen->watches,
		.channels = xen->channels,
		.inventory = xen->inventory,
		.nodes = xen->nodes,
	};
	return r;
}

static int add_to_epoll(struct xen *xen, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(xen->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/*
 * Connects to xenstored, unless this was done. Can be repeated after a failure: only at the end
 * calls xen_channels_load, which is the first function to change event channels.
 */
static int connect_to_xenstored(struct xen *xen)
{
	int r;

	if (xen->is_connected)
		return 0;
	r = open_xenstore(xen);
	if (r == 0)
		r = new_modules(xen);
	if (r < 0)
		return r;
	r = add_to_epoll(xen, xen_watches_fd(xen->watches));
	if (r < 0)
		return r;
	/*
	 * If this fails, domains are looked at when they are requested, at each time limit and at
	 * the end: guests must be resumed whatever fails. The daemon, which needs it, tries again.
	 */
	xen_watches_watch_list(xen->watches);
	xen_channels_load(xen->channels);
	xen->is_connected = true;
	return 0;
}

static int op_connect(struct hypervisor *hypervisor, struct error *error)
{
	int r = connect_to_xenstored(xen_of(hypervisor));

	if (r == -ECONNREFUSED) {
		error_set(error, r, "xenstored does not answer: start xenstored.service");
		error_mark(error, -ECONNREFUSED, OUTCOME_UNSUPPORTED);
		return r;
	}
	return r < 0 ? error_set(error, r, "cannot wait for events of Xen: %s", strerror(-r)) : 0;
}

/* ---- domains ------------------------------------------------------------ */

static void on_domain_gone(void *data, const struct domain_id *id)
{
	struct xen *xen = data;

	xen_resume_forget_domain(xen->resume, id);
	xen_shutdown_nodes_forget_domain(xen->nodes, id);
	xen_channels_forget_domain(xen->channels, id);
}

static int op_watch_domains(struct hypervisor *hypervisor)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_inventory_watch_domains(xen->inventory, on_domain_gone, xen);
}

static int op_inventory(struct hypervisor *hypervisor, struct inventory *ret_inventory,
			struct error *error)
{
	struct xen *xen = xen_of(hypervisor);
	int r = op_connect(hypervisor, error);

	if (r < 0)
		return r;
	r = xen_inventory_read(xen->inventory, ret_inventory);
	/* If this fails, next_event returns the changes with the next event. */
	if (xen_inventory_has_changes(xen->inventory))
		eventfd_write(xen->changes_fd, 1);
	return r < 0 ? error_set(error, r, "cannot read the list of guests: %s", strerror(-r)) : 0;
}

static int op_list_domains(struct hypervisor *hypervisor, struct listed_domain **ret_domains,
			   size_t *ret_n)
{
	return xen_domains_list(xen_of(hypervisor)->control, ret_domains, ret_n);
}

static int op_examine(struct hypervisor *hypervisor, const struct guest *guest,
		      struct guest_examination *ret_examination)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_examine_guest(xen->control, xen->store, guest, ret_examination);
}

static int op_get_state(struct hypervisor *hypervisor, const struct domain_id *id,
			struct domain_state *ret_state)
{
	return xen_domains_get_state(xen_of(hypervisor)->control, id, ret_state);
}

static bool op_is_being_saved(struct hypervisor *hypervisor, const struct domain_id *id)
{
	(void)hypervisor;
	return xen_savers_has(id->domid);
}

static int op_pause(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_domains_pause(xen_of(hypervisor)->control, id);
}

static int op_unpause(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_domains_unpause(xen_of(hypervisor)->control, id);
}

/* ---- requests ----------------------------------------------------------- */

static int op_prepare(struct hypervisor *hypervisor, const struct guest *guest,
		      enum mechanism mechanism)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_requests_prepare(&xen->requests, guest, mechanism);
}

static int op_arm(struct hypervisor *hypervisor, const struct domain_id *id, uint64_t cycle,
		  const struct agent_terms *terms)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_requests_arm(&xen->requests, id, cycle, terms);
}

static int op_subscribe(struct hypervisor *hypervisor, const struct domain_id *id,
			enum mechanism mechanism)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_requests_subscribe(&xen->requests, id, mechanism);
}

static int op_request(struct hypervisor *hypervisor, const struct domain_id *id,
		      enum mechanism mechanism)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_requests_send(&xen->requests, id, mechanism);
}

static int op_retract(struct hypervisor *hypervisor, const struct domain_id *id,
		      enum mechanism mechanism, uint64_t cycle)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_requests_retract(&xen->requests, id, mechanism, cycle);
}

static enum request_owner op_get_request_owner(struct hypervisor *hypervisor,
					       const struct domain_id *id, enum mechanism mechanism,
					       bool is_suspended)
{
	struct xen *xen = xen_of(hypervisor);
	bool is_of_agent = mechanism == MECHANISM_AGENT && is_suspended;

	/* What cannot be read is ours. */
	if ((!is_of_agent && mechanism != MECHANISM_XENSTORE) || connect_to_xenstored(xen) < 0)
		return REQUEST_OF_US;
	return is_of_agent ? xen_shutdown_nodes_get_owner_of_agent(xen->nodes, id)
			   : xen_shutdown_nodes_get_owner(xen->nodes, id, is_suspended);
}

static int op_unsubscribe(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_channels_unsubscribe(xen_of(hypervisor)->channels, id);
}

static int op_get_agent_state(struct hypervisor *hypervisor, const struct domain_id *id,
			      struct agent_state *ret_state)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_requests_get_agent_state(&xen->requests, id, ret_state);
}

static int op_wake_agent(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	return r < 0 ? r : xen_requests_wake_agent(&xen->requests, id);
}

/* ---- resume ------------------------------------------------------------- */

static int op_prepare_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_resume_prepare(xen_of(hypervisor)->resume, id);
}

static int op_resume(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_resume_domain(xen_of(hypervisor)->resume, id);
}

static int op_resume_in_xenstore(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct xen *xen = xen_of(hypervisor);
	int r = connect_to_xenstored(xen);

	if (r < 0)
		return r;
	r = xen_resume_in_xenstore(xen->resume, xen->store, id);
	/* The guest may have removed the node when it acknowledged the request. */
	if (r != -ESRCH)
		xen_shutdown_nodes_repair(xen->nodes, id);
	return r;
}

/* ---- events ------------------------------------------------------------- */

static int op_fd(struct hypervisor *hypervisor)
{
	return xen_of(hypervisor)->epoll_fd;
}

/*
 * Returns changes of xenstore before events of channels. An agent writes
 * `quiesced` to xenstore before its domain suspends, and the caller must learn
 * of `quiesced` before it learns of the suspension.
 */
static int next_in_turn(struct xen *xen, uint32_t *ret_domid)
{
	int r = 0;

	if (xen->turn.n_events == EVENTS_PER_TURN)
		return 0;
	if (!xen->turn.has_read_changes)
		r = xen_inventory_read_changes(xen->inventory);
	if (r < 0)
		return r;
	xen->turn.has_read_changes = true;
	if (!xen_inventory_take_change(xen->inventory, ret_domid)) {
		r = xen_channels_next(xen->channels, ret_domid);
		if (r <= 0)
			return r;
	}
	xen->turn.n_events++;
	return 1;
}

static bool next_muted(struct xen *xen, uint32_t *ret_domid)
{
	return xen_watches_next_muted(xen->watches, &xen->turn.next_muted_domain, ret_domid) ||
	       xen_channels_next_muted(xen->channels, &xen->turn.next_muted_channel, ret_domid);
}

/*
 * Ends a turn after a limited number of events, so that the caller can handle signals, deadlines
 * and clients; the descriptors stay readable if there are more. Each turn ends with the muted
 * guests, from which no event comes.
 */
static int op_next_event(struct hypervisor *hypervisor, uint32_t *ret_domid)
{
	struct xen *xen = xen_of(hypervisor);
	eventfd_t value;
	int r = connect_to_xenstored(xen);

	if (r < 0)
		return r;
	r = next_in_turn(xen, ret_domid);
	if (r == 0 && next_muted(xen, ret_domid))
		return 1;
	if (r > 0)
		return r;
	xen->turn = (struct turn){ 0 };
	if (!xen_inventory_has_changes(xen->inventory))
		eventfd_read(xen->changes_fd, &value);
	return r;
}

/* ---- opening and closing ------------------------------------------------ */

static void op_close(struct hypervisor *hypervisor)
{
	struct xen *xen = xen_of(hypervisor);

	closep(&xen->epoll_fd);
	closep(&xen->changes_fd);
	xen_resume_free(xen->resume);
	xen_shutdown_nodes_free(xen->nodes);
	xen_inventory_free(xen->inventory);
	xen_channels_free(xen->channels);
	xen_store_free(xen->store);
	xen_watches_free(xen->watches);
	xen_control_free(xen->control);
	free(xen);
}

static const struct hypervisor_ops xen_ops = {
	.name = "xen",
	.close = op_close,
	.connect = op_connect,
	.watch_domains = op_watch_domains,
	.inventory = op_inventory,
	.list_domains = op_list_domains,
	.examine = op_examine,
	.prepare = op_prepare,
	.arm = op_arm,
	.subscribe = op_subscribe,
	.request = op_request,
	.retract = op_retract,
	.get_request_owner = op_get_request_owner,
	.get_state = op_get_state,
	.get_agent_state = op_get_agent_state,
	.unsubscribe = op_unsubscribe,
	.is_being_saved = op_is_being_saved,
	.pause = op_pause,
	.unpause = op_unpause,
	.prepare_resume = op_prepare_resume,
	.resume = op_resume,
	.resume_in_xenstore = op_resume_in_xenstore,
	.wake_agent = op_wake_agent,
	.fd = op_fd,
	.next_event = op_next_event,
};

/*
 * Checks that this is dom0, where /proc/xen/capabilities contains "control_d";
 * in a guest the file is empty.
 */
static int check_is_dom0(struct error *error)
{
	_cleanup_(fclosep) FILE *file = fopen("/proc/xen/capabilities", "re");
	char text[64] = "";

	if (!file)
		return error_set(
			error, -ENODEV,
			"this system does not run on Xen (there is no /proc/xen/capabilities): boot this system under Xen");
	if (!fgets(text, sizeof(text), file) || !strstr(text, "control_d"))
		return error_set(
			error, -ENODEV,
			"this is a Xen guest, not dom0: run pmcoord in dom0, and pmcoord-agent here");
	return 0;
}

static int open_events(struct xen *xen)
{
	int r;

	xen->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	xen->changes_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = xen->epoll_fd < 0 || xen->changes_fd < 0 ? -errno : 0;
	if (r == 0)
		r = add_to_epoll(xen, xen->changes_fd);
	return r == 0 ? add_to_epoll(xen, xen_channels_fd(xen->channels)) : r;
}

/* Opens what needs no xenstored. */
static int open_xen(struct xen *xen, const char *run_directory, int kept_fd, struct error *error)
{
	int r = xen_control_open(&xen->control, error);

	if (r == 0)
		r = xen_channels_open(xen->control, run_directory, kept_fd, &xen->channels, error);
	if (r == 0)
		r = xen_resume_new(xen->control, &xen->resume);
	if (r == 0)
		r = directory_make(run_directory);
	return r == 0 ? open_events(xen) : r;
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

	assert(run_directory && ret_hypervisor);
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
	xen->changes_fd = -EBADF;
	r = open_xen(xen, run_directory, kept_fd, error);
	if (r < 0) {
		op_close(&xen->hypervisor);
		return error_set(error, r, "cannot use Xen: %s", strerror(-r));
	}
	*ret_hypervisor = &xen->hypervisor;
	return 0;
}
