/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/hypervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xentoollog.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "pmcoord/parse.h"
#include "xen/ports.h"
#include "xen/xen-control.h"
#include "xen/xen-domains.h"
#include "xen/xen-examine.h"
#include "xen/xen-host.h"
#include "xen/xen-store.h"
#include "xen/xen-watches.h"

enum channel_kind {
	CHANNEL_OWN, /* made on the guest's behalf */
	CHANNEL_PUBLISHED, /* by the guest, for its agent or its kernel */
};

/* One event channel between dom0 and a guest. */
struct channel {
	struct domain_id id;
	enum channel_kind kind;
	evtchn_port_t guest_port;
	xenevtchn_port_or_error_t local_port; /* -1: not bound */
	bool subscribed;
	bool listens; /* subscribed for the request that comes next */
};

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
	xenevtchn_handle *evtchn;
	struct xen_store *store;
	struct xen_watches *watches;
	xentoollog_logger *log;
	int epoll_fd;
	struct channel *channels;
	size_t n_channels;
	char *ports_path; /* channels that outlive the process */
	bool descriptor_was_kept; /* and so are the local ports */
	struct inventory_cache *cache; /* where domains are followed */
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

void xen_read_hvm(struct xen *xen, uint32_t domid, bool *ret_has_pv_drivers, bool *ret_in_acpi_s3)
{
	uint64_t value;

	if (xen_control_get_callback_irq(xen->control, domid, &value) == 0)
		*ret_has_pv_drivers = value != 0;
	if (xen_control_get_acpi_state(xen->control, domid, &value) == 0)
		*ret_in_acpi_s3 = value == 3;
}

static int next_watch(struct xen *xen, uint32_t *ret_domid);

static int xen_inventory(struct hypervisor *hypervisor, struct inventory *ret_inventory,
			 struct error *error)
{
	struct xen *xen = xen_of(hypervisor);
	uint32_t domid;
	int r = 0;

	/* News that is on its way counts already; it only means look. */
	while (xen->cache && (r = next_watch(xen, &domid)) > 0)
		;
	if (r == 0)
		r = xen_read_inventory(xen, xen->control, xen->store, xen->cache, ret_inventory);
	return r < 0 ? error_set(error, r, "cannot read the list of guests: %s", strerror(-r)) : 0;
}

static int check_identity(struct hypervisor *hypervisor, const struct domain_id *id)
{
	return xen_domains_check(xen_of(hypervisor)->control, id);
}

/* ---- event channels ----------------------------------------------------- */

static struct channel *find_channel(struct xen *xen, const struct domain_id *id,
				    enum channel_kind kind)
{
	for (size_t i = 0; i < xen->n_channels; i++)
		if (xen->channels[i].kind == kind && domain_id_equal(&xen->channels[i].id, id))
			return &xen->channels[i];
	return NULL;
}

/* The channel that a request by this mechanism uses; NULL if not prepared. */
static struct channel *channel_for(struct xen *xen, const struct domain_id *id,
				   enum mechanism mechanism)
{
	bool published = mechanism == MECHANISM_AGENT || mechanism == MECHANISM_EVENT_CHANNEL;

	return find_channel(xen, id, published ? CHANNEL_PUBLISHED : CHANNEL_OWN);
}

static struct channel *add_channel(struct xen *xen, const struct domain_id *id,
				   enum channel_kind kind)
{
	struct channel *channels =
		reallocarray(xen->channels, xen->n_channels + 1, sizeof(*channels));

	if (!channels)
		return NULL;
	xen->channels = channels;
	channels[xen->n_channels] = (struct channel){
		.id = *id,
		.kind = kind,
		.local_port = -1,
	};
	return &channels[xen->n_channels++];
}

/* Writes down the channels that a successor can take up. */
static int save_ports(struct xen *xen)
{
	_cleanup_(freep) struct remembered_port *ports =
		calloc(xen->n_channels + 1, sizeof(*ports));
	size_t n = 0;

	if (!ports)
		return -ENOMEM;
	for (size_t i = 0; i < xen->n_channels; i++) {
		const struct channel *channel = &xen->channels[i];
		int local = channel->local_port;

		if (channel->guest_port != 0)
			ports[n++] = (struct remembered_port){
				.id = channel->id,
				.guest_port = channel->guest_port,
				.local_port = local > 0 ? (uint32_t)local : 0,
				.is_published = channel->kind == CHANNEL_PUBLISHED,
			};
	}
	return ports_save(xen->ports_path, ports, n);
}

/*
 * Whether the guest's port waits for dom0 to bind it. A guest can publish any
 * number, and its reset of all channels (kexec) makes a known one stale.
 */
static bool port_is_ours_to_bind(struct xen *xen, uint32_t domid, evtchn_port_t port)
{
	struct xen_port status;

	return xen_control_get_guest_port(xen->control, domid, port, &status) == 0 &&
	       status.state == XEN_PORT_UNBOUND && status.remote_domid == 0;
}

/* Whether the channel is bound, and still leads to the guest's port. */
static bool is_connected(struct xen *xen, const struct channel *channel)
{
	struct xen_port port;

	return channel->local_port >= 0 &&
	       xen_control_get_own_port(xen->control, (uint32_t)channel->local_port, &port) == 0 &&
	       port.state == XEN_PORT_INTERDOMAIN && port.remote_domid == channel->id.domid &&
	       port.remote_port == channel->guest_port;
}

static void unbind_channel(struct xen *xen, struct channel *channel)
{
	if (channel->local_port >= 0)
		xenevtchn_unbind(xen->evtchn, (evtchn_port_t)channel->local_port);
	channel->local_port = -1;
}

/*
 * Binding makes the local port pending. That first event is taken like any
 * other: it only means look.
 */
static int bind_channel(struct xen *xen, struct channel *channel)
{
	unbind_channel(xen, channel);
	channel->local_port =
		xenevtchn_bind_interdomain(xen->evtchn, channel->id.domid, channel->guest_port);
	if (channel->local_port < 0)
		return -errno;
	return save_ports(xen);
}

/* Makes, or takes up again, the channel on behalf of a guest. */
static int open_own_channel(struct xen *xen, const struct domain_id *id)
{
	struct channel *channel = find_channel(xen, id, CHANNEL_OWN);
	int port;

	if (!channel)
		channel = add_channel(xen, id, CHANNEL_OWN);
	if (!channel)
		return -ENOMEM;
	if (is_connected(xen, channel))
		return 0;
	unbind_channel(xen, channel);
	if (channel->guest_port == 0 ||
	    !port_is_ours_to_bind(xen, id->domid, channel->guest_port)) {
		port = xen_control_alloc_port(xen->control, id->domid);
		if (port < 0)
			return port;
		channel->guest_port = (evtchn_port_t)port;
		/* On record before it is used: nothing leaks by a crash. */
		if (save_ports(xen) < 0)
			return -errno;
	}
	return bind_channel(xen, channel);
}

/* Binds the port that the guest itself has published. */
static int open_published_channel(struct xen *xen, const struct domain_id *id, uint32_t port)
{
	struct channel *channel = find_channel(xen, id, CHANNEL_PUBLISHED);

	if (!channel)
		channel = add_channel(xen, id, CHANNEL_PUBLISHED);
	if (!channel)
		return -ENOMEM;
	if (channel->guest_port == port && is_connected(xen, channel))
		return PREPARED;
	unbind_channel(xen, channel);
	if (!port_is_ours_to_bind(xen, id->domid, port))
		return PREPARE_PORT_IS_STALE;
	channel->guest_port = port;
	return bind_channel(xen, channel);
}

/* ---- channels that have outlived a process ------------------------------ */

static void take_port(void *data, const struct remembered_port *port)
{
	struct xen *xen = data;
	struct domain_state look;
	struct channel *channel;

	if (xen_get_state(&xen->hypervisor, &port->id, &look) < 0 || look.state == GUEST_GONE)
		return;
	channel = add_channel(xen, &port->id, port->is_published ? CHANNEL_PUBLISHED : CHANNEL_OWN);
	if (!channel)
		return;
	channel->guest_port = port->guest_port;
	channel->local_port = xen->descriptor_was_kept && port->local_port != 0
				      ? (xenevtchn_port_or_error_t)port->local_port
				      : -1;
	if (!is_connected(xen, channel))
		channel->local_port = -1;
}

static bool is_known_port(const struct xen *xen, evtchn_port_t port)
{
	for (size_t i = 0; i < xen->n_channels; i++)
		if (xen->channels[i].local_port == (xenevtchn_port_or_error_t)port)
			return true;
	return false;
}

/*
 * A process that was killed between binding a port and writing it down has left
 * it in the descriptor. Ports of others in dom0 are not in our descriptor, and
 * the kernel refuses to unbind them.
 */
static void drop_unknown_ports(struct xen *xen)
{
	struct xen_port status;

	for (uint32_t port = 1; xen_control_get_own_port(xen->control, port, &status) == 0; port++)
		if (status.state == XEN_PORT_INTERDOMAIN && !is_known_port(xen, port))
			xenevtchn_unbind(xen->evtchn, port);
}

/* The kernel masks a port when it hands out its event: the dead may have one.
 */
static void unmask_ports(struct xen *xen)
{
	for (size_t i = 0; i < xen->n_channels; i++)
		if (xen->channels[i].local_port >= 0)
			xenevtchn_unmask(xen->evtchn, (evtchn_port_t)xen->channels[i].local_port);
}

static void load_channels(struct xen *xen)
{
	ports_load(xen->ports_path, take_port, xen);
	if (!xen->descriptor_was_kept)
		return;
	drop_unknown_ports(xen);
	unmask_ports(xen);
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

void xen_domain_appeared(struct xen *xen, uint32_t domid)
{
	if (!xen_watches_watch_domain(xen->watches, domid))
		/* Read anew each time, then: late news is no news. */
		inventory_cache_refuse(xen->cache, domid);
}

/* A port of ours whose other end has died is free only once it is unbound. */
void xen_domain_went(struct xen *xen, const struct domain_id *id)
{
	size_t kept = 0;

	xen_watches_unwatch_domain(xen->watches, id->domid);
	forget_told(xen, id);
	for (size_t i = 0; i < xen->n_channels; i++) {
		if (domain_id_equal(&xen->channels[i].id, id))
			unbind_channel(xen, &xen->channels[i]);
		else
			xen->channels[kept++] = xen->channels[i];
	}
	xen->n_channels = kept;
	/* Only forgets: a line for who is gone is skipped when it is read. */
	save_ports(xen);
}

static int xen_watch_domains(struct hypervisor *hypervisor)
{
	struct xen *xen = xen_of(hypervisor);
	int r;

	if (xen->cache)
		return 0;
	r = inventory_cache_new(&xen->cache);
	if (r < 0)
		return r;
	return xen_watches_watch_domains(xen->watches);
}

/* ---- preparing ---------------------------------------------------------- */

static int xen_prepare(struct hypervisor *hypervisor, const struct guest *guest,
		       enum mechanism mechanism)
{
	struct xen *xen = xen_of(hypervisor);
	struct domain_id id = domain_id_of(guest);
	int r = check_identity(hypervisor, &id);

	if (r < 0)
		return r;
	switch (mechanism) {
	case MECHANISM_AGENT:
		r = open_published_channel(xen, &id, guest->agent.port);
		return r == PREPARED ? xen_watches_watch_agent(xen->watches, id.domid) : r;
	case MECHANISM_EVENT_CHANNEL:
		return open_published_channel(xen, &id, guest->kernel_port);
	case MECHANISM_XENSTORE:
	case MECHANISM_HVM:
		return open_own_channel(xen, &id);
	case MECHANISM_NONE:
	case MECHANISM_PAUSE:
		break;
	}
	return PREPARED;
}

/* ---- asking ------------------------------------------------------------- */

/* What we write is not among what is watched. */
static void expire(struct xen *xen, const struct domain_id *id)
{
	if (xen->cache)
		inventory_cache_expire(xen->cache, id->domid);
}

static int xen_arm(struct hypervisor *hypervisor, const struct domain_id *id, uint64_t cycle,
		   const struct agent_terms *terms)
{
	struct xen *xen = xen_of(hypervisor);
	struct protocol_request request = { PROTOCOL_SUSPEND, cycle };
	char text[PROTOCOL_TEXT_MAX];
	int r = check_identity(hypervisor, id);

	if (r < 0)
		return r;
	expire(xen, id);
	snprintf(text, sizeof(text), "%" PRIu64, terms->timeout_us / 1000);
	r = xen_store_publish(xen->store, id->domid, PROTOCOL_NODE_TIMEOUT, text);
	if (r == 0)
		r = xen_store_publish(xen->store, id->domid, PROTOCOL_NODE_INHIBITORS,
				      terms->ignore_inhibitors ? PROTOCOL_INHIBITORS_IGNORE
							       : PROTOCOL_INHIBITORS_HONOUR);
	protocol_format_request(&request, text);
	return r < 0 ? r : xen_store_publish(xen->store, id->domid, PROTOCOL_NODE_REQUEST, text);
}

static int notify(struct xen *xen, struct channel *channel)
{
	if (channel->local_port < 0)
		return -ENOTCONN;
	return xenevtchn_notify(xen->evtchn, (evtchn_port_t)channel->local_port) < 0 ? -errno : 0;
}

/* Right before each request: the last subscriber wins, silently. */
static int xen_subscribe(struct hypervisor *hypervisor, const struct domain_id *id,
			 enum mechanism mechanism)
{
	struct xen *xen = xen_of(hypervisor);
	struct channel *channel = channel_for(xen, id, mechanism);
	int r = check_identity(hypervisor, id);

	if (r < 0)
		return r;
	if (!channel)
		return -ENOTCONN;
	r = xen_control_subscribe(xen->control, id->domid, channel->guest_port);
	if (r < 0)
		return r;
	channel->subscribed = true;
	channel->listens = true;
	return 0;
}

static int xen_request(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism)
{
	struct xen *xen = xen_of(hypervisor);
	struct channel *channel = channel_for(xen, id, mechanism);
	int r = channel && channel->listens ? 0 : xen_subscribe(hypervisor, id, mechanism);

	if (r < 0)
		return r;
	channel->listens = false;
	switch (mechanism) {
	case MECHANISM_AGENT:
	case MECHANISM_EVENT_CHANNEL:
		return notify(xen, channel);
	case MECHANISM_XENSTORE:
		return xen_store_write_domain(xen->store, id->domid, PROTOCOL_NODE_SHUTDOWN,
					      PROTOCOL_SHUTDOWN_SUSPEND);
	case MECHANISM_HVM:
		return xen_control_suspend(xen->control, id->domid);
	case MECHANISM_NONE:
	case MECHANISM_PAUSE:
		break;
	}
	return -EINVAL;
}

static bool text_is(const char *text, const char *expected)
{
	return text && strcmp(text, expected) == 0;
}

/*
 * One attempt in one transaction: abort for the agent, and the unacknowledged
 * request to the kernel cleared. Returns an outcome, or -EAGAIN when someone
 * else wrote meanwhile.
 */
static int retract_once(struct xen *xen, const struct domain_id *id, enum mechanism mechanism,
			uint64_t cycle)
{
	struct protocol_request request = { PROTOCOL_ABORT, cycle };
	_cleanup_(freep) char *shutdown = NULL;
	_cleanup_(freep) char *state = NULL;
	struct protocol_state agent = { 0 };
	bool asked = mechanism != MECHANISM_AGENT, ok = true;
	char text[PROTOCOL_TEXT_MAX];
	uint32_t transaction;
	int r = xen_store_begin(xen->store, &transaction);

	if (r < 0)
		return r;
	if (mechanism == MECHANISM_AGENT) {
		state = xen_store_read_within(xen->store, transaction, id->domid,
					      PROTOCOL_NODE_STATE);
		/* Only an agent that has quiesced has asked its kernel. */
		asked = state && protocol_parse_state(state, strlen(state), &agent) == 0 &&
			agent.state == PROTOCOL_AGENT_QUIESCED && agent.cycle == cycle;
		protocol_format_request(&request, text);
		ok = xen_store_write_within(xen->store, transaction, id->domid,
					    PROTOCOL_NODE_REQUEST, text) == 0;
	}
	shutdown =
		xen_store_read_within(xen->store, transaction, id->domid, PROTOCOL_NODE_SHUTDOWN);
	if (ok && text_is(shutdown, PROTOCOL_SHUTDOWN_SUSPEND)) {
		ok = xen_store_write_within(xen->store, transaction, id->domid,
					    PROTOCOL_NODE_SHUTDOWN, "") == 0;
		asked = false;
	}
	r = xen_store_end(xen->store, transaction, ok);
	if (r < 0)
		return r;
	if (!ok)
		return -EIO;
	return asked ? RETRACT_TOO_LATE : RETRACTED;
}

static int xen_retract(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism, uint64_t cycle)
{
	struct xen *xen = xen_of(hypervisor);
	struct channel *channel = channel_for(xen, id, mechanism);
	int r = check_identity(hypervisor, id);

	if (r < 0)
		return r;
	/* Neither can be taken back: one event, one hypercall. */
	if (mechanism == MECHANISM_EVENT_CHANNEL || mechanism == MECHANISM_HVM)
		return RETRACT_TOO_LATE;
	expire(xen, id);
	do
		r = retract_once(xen, id, mechanism, cycle);
	while (r == -EAGAIN);
	if (r < 0)
		return r;
	if (mechanism == MECHANISM_AGENT && channel)
		notify(xen, channel);
	if (r == RETRACTED)
		hypervisor->ops->unsubscribe(hypervisor, id);
	return r;
}

static int xen_get_agent_state(struct hypervisor *hypervisor, const struct domain_id *id,
			       struct agent_state *ret_state)
{
	struct xen *xen = xen_of(hypervisor);
	_cleanup_(freep) char *state = NULL;
	_cleanup_(freep) char *detail = NULL;
	struct agent_state look = { 0 };

	state = xen_store_read_domain(xen->store, id->domid, PROTOCOL_NODE_STATE);
	if (!state)
		return errno == ENOENT ? -ENODATA : -errno;
	if (protocol_parse_state(state, strlen(state), &look.state) < 0)
		return -EBADMSG;
	/* On the way down every read counts, and there is nothing to say. */
	if (look.state.state != PROTOCOL_AGENT_QUIESCED)
		detail = xen_store_read_domain(xen->store, id->domid, PROTOCOL_NODE_DETAIL);
	if (detail)
		text_sanitize(detail, strlen(detail), look.detail, sizeof(look.detail));
	*ret_state = look;
	return 0;
}

static int xen_unsubscribe(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct xen *xen = xen_of(hypervisor);

	for (size_t i = 0; i < xen->n_channels; i++)
		if (domain_id_equal(&xen->channels[i].id, id))
			xen->channels[i].subscribed = false;
	return xen_control_subscribe(xen->control, id->domid, 0);
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

/* After a crash the channel is not bound yet; the agent's number is known. */
static int xen_wake_agent(struct hypervisor *hypervisor, const struct domain_id *id)
{
	struct xen *xen = xen_of(hypervisor);
	struct channel *channel = find_channel(xen, id, CHANNEL_PUBLISHED);
	uint32_t port;
	int r;

	if (!channel || channel->local_port < 0) {
		port = (uint32_t)xen_store_read_number(xen->store, id->domid,
						       PROTOCOL_NODE_EVENT_CHANNEL, UINT32_MAX, 0);
		r = port ? open_published_channel(xen, id, port) : -ENOTCONN;
		if (r != PREPARED)
			return r < 0 ? r : -ENOTCONN;
		channel = find_channel(xen, id, CHANNEL_PUBLISHED);
		xen_watches_watch_agent(xen->watches, id->domid);
	}
	return notify(xen, channel);
}

/* ---- events ------------------------------------------------------------- */

static int xen_fd(struct hypervisor *hypervisor)
{
	return xen_of(hypervisor)->epoll_fd;
}

static int next_watch(struct xen *xen, uint32_t *ret_domid)
{
	int r = xen_watches_next(xen->watches, ret_domid);

	/* Domains that come and go are seen by Xen's list, not by the cache. */
	if (r > 0 && xen->cache && *ret_domid != HYPERVISOR_ALL_DOMAINS)
		inventory_cache_expire(xen->cache, *ret_domid);
	return r;
}

static int next_channel_event(struct xen *xen, uint32_t *ret_domid)
{
	xenevtchn_port_or_error_t port = xenevtchn_pending(xen->evtchn);

	if (port < 0)
		return errno == EAGAIN ? 0 : -errno;
	xenevtchn_unmask(xen->evtchn, (evtchn_port_t)port);
	for (size_t i = 0; i < xen->n_channels; i++) {
		if (xen->channels[i].local_port != port)
			continue;
		*ret_domid = xen->channels[i].id.domid;
		return 1;
	}
	*ret_domid = HYPERVISOR_ALL_DOMAINS;
	return 1;
}

/* Watches first: an agent's `quiesced` comes before its domain is down. */
static int xen_next_event(struct hypervisor *hypervisor, uint32_t *ret_domid)
{
	struct xen *xen = xen_of(hypervisor);
	int r = next_watch(xen, ret_domid);

	return r != 0 ? r : next_channel_event(xen, ret_domid);
}

/* ---- opening and closing ------------------------------------------------ */

static void xen_close(struct hypervisor *hypervisor)
{
	struct xen *xen = xen_of(hypervisor);

	for (size_t i = 0; i < xen->n_channels; i++)
		if (xen->channels[i].subscribed &&
		    check_identity(hypervisor, &xen->channels[i].id) == 0)
			xen_unsubscribe(hypervisor, &xen->channels[i].id);
	if (xen->epoll_fd >= 0)
		close(xen->epoll_fd);
	if (xen->evtchn)
		xenevtchn_close(xen->evtchn);
	xen_store_free(xen->store);
	xen_watches_free(xen->watches);
	xen_control_free(xen->control);
	if (xen->log)
		xtl_logger_destroy(xen->log);
	inventory_cache_free(xen->cache);
	free(xen->channels);
	free(xen->told);
	free(xen->ports_path);
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

static int open_handles(struct xen *xen, int kept_fd, struct error *error)
{
	int r = xen_control_open(&xen->control, error);

	if (r < 0)
		return r;
	xen->evtchn =
		kept_fd >= 0 ? xenevtchn_fdopen(xen->log, kept_fd, 0) : xenevtchn_open(xen->log, 0);
	if (!xen->evtchn || fcntl(xenevtchn_fd(xen->evtchn), F_SETFL, O_NONBLOCK) < 0)
		return error_set(
			error, -errno,
			"cannot open event channels (/dev/xen/evtchn; modprobe xen-evtchn): %s",
			strerror(errno));
	if (xen_store_daemon_listens() || xen_domains_have_xenstore(xen->control)) {
		r = xen_store_open(&xen->store);
		if (r == 0)
			r = xen_watches_open(&xen->watches);
	}
	if (r < 0 || !xen->store || !xen->watches)
		return error_set(error, -ECONNREFUSED,
				 "xenstored does not answer: start xenstored.service");
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
		r = add_to_epoll(xen, xenevtchn_fd(xen->evtchn));
	return r < 0 ? error_set(error, r, "cannot wait for events of Xen: %s", strerror(-r)) : 0;
}

int hypervisor_xen_channels_fd(struct hypervisor *hypervisor)
{
	return xenevtchn_fd(xen_of(hypervisor)->evtchn);
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
	if (!xen || asprintf(&xen->ports_path, "%s/ports", run_directory) < 0) {
		free(xen);
		return error_set(error, -ENOMEM, "out of memory");
	}
	xen->hypervisor.ops = &xen_ops;
	xen->epoll_fd = -EBADF;
	xen->descriptor_was_kept = kept_fd >= 0;
	/* Failures come back as errno; libxenctrl need not print them too. */
	xen->log = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	r = open_handles(xen, kept_fd, error);
	if (r == 0)
		r = directory_make(run_directory);
	if (r == 0) {
		load_channels(xen);
		r = open_events(xen, error);
	}
	if (r < 0) {
		xen_close(&xen->hypervisor);
		return error_set(error, r, "cannot use Xen: %s", strerror(-r));
	}
	*ret_hypervisor = &xen->hypervisor;
	return 0;
}
