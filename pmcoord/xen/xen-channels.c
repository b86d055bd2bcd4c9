/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-channels.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenevtchn.h>
#include <xentoollog.h>

#include "pmcoord/cleanup.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "xen/ports.h"
#include "xen/xen-domains.h"

/*
 * The most events of a channel between two requests. A suspension and an agent cause a few; a
 * guest can send events without end. A channel with more events is muted: its port stays masked.
 */
#define EVENTS_MAX 64

struct channel {
	struct domain_id id;
	enum xen_channel_kind kind;
	uint32_t guest_port; /* 0: not known yet */
	int local_port; /* -1: not bound */
	bool subscribed; /* by this process */
	bool subscribed_for_next; /* subscribed since the last request */
	unsigned int n_events;
	bool is_muted;
};

struct xen_channels {
	struct xen_control *control; /* borrowed */
	xenevtchn_handle *evtchn;
	xentoollog_logger *log;
	struct channel *channels;
	size_t n_channels;
	char *ports_path; /* file with the record of channels, see ports.h */
	/* xen_channels_open was given kept_fd: the earlier process's ports are still bound. */
	bool descriptor_was_kept;
};

/* ---- opening and closing ------------------------------------------------ */

static int open_device(struct xen_channels *channels, int kept_fd, struct error *error)
{
	channels->descriptor_was_kept = kept_fd >= 0;
	/* Print only critical messages, because failures are returned as errno. */
	channels->log = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	channels->evtchn = kept_fd >= 0 ? xenevtchn_fdopen(channels->log, kept_fd, 0)
					: xenevtchn_open(channels->log, 0);
	if (!channels->evtchn || fcntl(xenevtchn_fd(channels->evtchn), F_SETFL, O_NONBLOCK) < 0)
		return error_set(
			error, -errno,
			"cannot open the event channels' device /dev/xen/evtchn (run 'modprobe xen-evtchn' if it is missing): %s",
			strerror(errno));
	return 0;
}

int xen_channels_open(struct xen_control *control, const char *run_directory, int kept_fd,
		      struct xen_channels **ret_channels, struct error *error)
{
	struct xen_channels *channels = calloc(1, sizeof(*channels));
	int r;

	assert(control && run_directory && ret_channels);
	if (!channels || asprintf(&channels->ports_path, "%s/ports", run_directory) < 0) {
		free(channels);
		return error_set(error, -ENOMEM, "out of memory");
	}
	channels->control = control;
	r = open_device(channels, kept_fd, error);
	if (r < 0) {
		xen_channels_free(channels);
		return r;
	}
	*ret_channels = channels;
	return 0;
}

/*
 * Ends the subscriptions that this process has made. A subscription that
 * remains would break a later save or migration of the guest.
 */
static void unsubscribe_all(struct xen_channels *channels)
{
	for (size_t i = 0; i < channels->n_channels; i++) {
		const struct channel *channel = &channels->channels[i];

		if (channel->subscribed && xen_domains_check(channels->control, &channel->id) == 0)
			xen_channels_unsubscribe(channels, &channel->id);
	}
}

void xen_channels_free(struct xen_channels *channels)
{
	if (!channels)
		return;
	unsubscribe_all(channels);
	if (channels->evtchn)
		xenevtchn_close(channels->evtchn);
	if (channels->log)
		xtl_logger_destroy(channels->log);
	free(channels->channels);
	free(channels->ports_path);
	free(channels);
}

int xen_channels_fd(const struct xen_channels *channels)
{
	return xenevtchn_fd(channels->evtchn);
}

/* ---- the channels and their record -------------------------------------- */

static struct channel *find_channel(const struct xen_channels *channels, const struct domain_id *id,
				    enum xen_channel_kind kind)
{
	for (size_t i = 0; i < channels->n_channels; i++)
		if (channels->channels[i].kind == kind &&
		    domain_id_equal(&channels->channels[i].id, id))
			return &channels->channels[i];
	return NULL;
}

static struct channel *add_channel(struct xen_channels *channels, const struct domain_id *id,
				   enum xen_channel_kind kind)
{
	struct channel *list =
		reallocarray(channels->channels, channels->n_channels + 1, sizeof(*list));

	if (!list)
		return NULL;
	channels->channels = list;
	list[channels->n_channels] = (struct channel){
		.id = *id,
		.kind = kind,
		.local_port = -1,
	};
	return &list[channels->n_channels++];
}

/* Finds a channel, or adds it. Returns NULL if out of memory. */
static struct channel *get_channel(struct xen_channels *channels, const struct domain_id *id,
				   enum xen_channel_kind kind)
{
	struct channel *channel = find_channel(channels, id, kind);

	return channel ? channel : add_channel(channels, id, kind);
}

/*
 * If this fails, e.g. because /run is full, the record is that of before. A process that follows
 * this one skips domains that no longer exist, checks the recorded ports, and allocates new ones
 * instead of those that are not recorded.
 */
static void save_ports(struct xen_channels *channels)
{
	_cleanup_(freep) struct remembered_port *ports =
		calloc(channels->n_channels + 1, sizeof(*ports));
	size_t n = 0;

	if (!ports)
		return;
	for (size_t i = 0; i < channels->n_channels; i++) {
		const struct channel *channel = &channels->channels[i];
		int local = channel->local_port;

		if (channel->guest_port != 0)
			ports[n++] = (struct remembered_port){
				.id = channel->id,
				.guest_port = channel->guest_port,
				.local_port = local > 0 ? (uint32_t)local : 0,
				.is_published = channel->kind == XEN_CHANNEL_PUBLISHED,
			};
	}
	ports_save(channels->ports_path, ports, n);
}

/* ---- binding ------------------------------------------------------------ */

/*
 * Returns PREPARED if the guest's port is unbound and allocated for dom0. Otherwise
 * returns why this process cannot bind the port. A published port is checked, because a
 * guest can publish any number. A recorded port is checked, because a kexec in the guest
 * closes all ports of the guest. The caller has unbound its own port.
 */
static int check_port(struct xen_channels *channels, const struct domain_id *id,
		      uint32_t guest_port)
{
	struct xen_port port;

	if (xen_control_get_guest_port(channels->control, id->domid, guest_port, &port) < 0 ||
	    port.state == XEN_PORT_OTHER || port.remote_domid != 0)
		return PREPARE_PORT_IS_STALE;
	return port.state == XEN_PORT_UNBOUND ? PREPARED : PREPARE_PORT_IS_BUSY;
}

/* Whether the channel is bound and still connected to the guest's port. */
static bool is_connected(struct xen_channels *channels, const struct channel *channel)
{
	struct xen_port port;

	return channel->local_port >= 0 &&
	       xen_control_get_own_port(channels->control, (uint32_t)channel->local_port, &port) ==
		       0 &&
	       port.state == XEN_PORT_INTERDOMAIN && port.remote_domid == channel->id.domid &&
	       port.remote_port == channel->guest_port;
}

static void unbind_channel(struct xen_channels *channels, struct channel *channel)
{
	channel->is_muted = false;
	if (channel->local_port >= 0)
		xenevtchn_unbind(channels->evtchn, (evtchn_port_t)channel->local_port);
	channel->local_port = -1;
}

/*
 * Binds the channel and records it. Binding causes an event of the local port
 * at once. This event is harmless: it only makes the coordinator read the state
 * of the domain.
 */
static int bind_channel(struct xen_channels *channels, struct channel *channel)
{
	channel->n_events = 0;
	channel->is_muted = false;
	channel->local_port = xenevtchn_bind_interdomain(channels->evtchn, channel->id.domid,
							 channel->guest_port);
	if (channel->local_port < 0)
		return -errno;
	save_ports(channels);
	return 0;
}

/*
 * Keeps the recorded guest port if it can still be bound; otherwise allocates a
 * new unbound port in the guest.
 */
static int set_guest_port(struct xen_channels *channels, struct channel *channel)
{
	int port;

	if (channel->guest_port != 0 &&
	    check_port(channels, &channel->id, channel->guest_port) == PREPARED)
		return 0;
	port = xen_control_alloc_port(channels->control, channel->id.domid);
	if (port < 0)
		return port;
	channel->guest_port = (uint32_t)port;
	/* Record the port before it is bound, so that a crash leaks no port of the guest. */
	save_ports(channels);
	return 0;
}

int xen_channels_open_own(struct xen_channels *channels, const struct domain_id *id)
{
	struct channel *channel = get_channel(channels, id, XEN_CHANNEL_OWN);
	int r;

	assert(channels && id);
	if (!channel)
		return -ENOMEM;
	if (is_connected(channels, channel))
		return 0;
	unbind_channel(channels, channel);
	r = set_guest_port(channels, channel);
	return r < 0 ? r : bind_channel(channels, channel);
}

int xen_channels_open_published(struct xen_channels *channels, const struct domain_id *id,
				uint32_t guest_port)
{
	struct channel *channel = get_channel(channels, id, XEN_CHANNEL_PUBLISHED);
	int r;

	assert(channels && id);
	if (!channel)
		return -ENOMEM;
	if (channel->guest_port == guest_port && is_connected(channels, channel))
		return PREPARED;
	unbind_channel(channels, channel);
	r = check_port(channels, id, guest_port);
	if (r != PREPARED)
		return r;
	channel->guest_port = guest_port;
	return bind_channel(channels, channel);
}

bool xen_channels_is_bound(const struct xen_channels *channels, const struct domain_id *id,
			   enum xen_channel_kind kind)
{
	const struct channel *channel = find_channel(channels, id, kind);

	assert(channels && id);
	return channel && channel->local_port >= 0;
}

/*
 * Removes the channels of a guest that has ended. Unbinds their ports in dom0, because Xen
 * does not free these ports when the guest ends.
 */
void xen_channels_forget_domain(struct xen_channels *channels, const struct domain_id *id)
{
	size_t kept = 0;

	assert(channels && id);
	for (size_t i = 0; i < channels->n_channels; i++) {
		if (domain_id_equal(&channels->channels[i].id, id))
			unbind_channel(channels, &channels->channels[i]);
		else
			channels->channels[kept++] = channels->channels[i];
	}
	channels->n_channels = kept;
	save_ports(channels);
}

/* ---- channels of an earlier process ------------------------------------- */

static void load_port(void *data, const struct remembered_port *port)
{
	struct xen_channels *channels = data;
	struct domain_state state;
	struct channel *channel;

	if (xen_domains_get_state(channels->control, &port->id, &state) < 0 ||
	    state.state == GUEST_GONE)
		return;
	channel = add_channel(channels, &port->id,
			      port->is_published ? XEN_CHANNEL_PUBLISHED : XEN_CHANNEL_OWN);
	if (!channel)
		return;
	channel->guest_port = port->guest_port;
	if (channels->descriptor_was_kept && port->local_port != 0)
		channel->local_port = (int)port->local_port;
	if (!is_connected(channels, channel))
		channel->local_port = -1;
}

static bool is_known_port(const struct xen_channels *channels, uint32_t port)
{
	for (size_t i = 0; i < channels->n_channels; i++)
		if (channels->channels[i].local_port == (int)port)
			return true;
	return false;
}

/*
 * Unbinds ports that a killed process had bound but not yet recorded. Ports of
 * other programs stay bound, because the kernel refuses to unbind ports of
 * other descriptors.
 */
static void unbind_unknown_ports(struct xen_channels *channels)
{
	struct xen_port status;

	for (uint32_t port = 1; xen_control_get_own_port(channels->control, port, &status) == 0;
	     port++)
		if (status.state == XEN_PORT_INTERDOMAIN && !is_known_port(channels, port))
			xenevtchn_unbind(channels->evtchn, port);
}

/*
 * Unmasks all ports: reading an event masks its port, and the earlier process
 * may have died before it unmasked the port.
 */
static void unmask_ports(struct xen_channels *channels)
{
	for (size_t i = 0; i < channels->n_channels; i++) {
		int port = channels->channels[i].local_port;

		if (port >= 0)
			xenevtchn_unmask(channels->evtchn, (evtchn_port_t)port);
	}
}

void xen_channels_load(struct xen_channels *channels)
{
	assert(channels);
	ports_load(channels->ports_path, load_port, channels);
	if (!channels->descriptor_was_kept)
		return;
	unbind_unknown_ports(channels);
	unmask_ports(channels);
}

/* Lets a channel have events again. An event that was pending meanwhile follows at once. */
static void unmute(struct xen_channels *channels, struct channel *channel)
{
	channel->n_events = 0;
	if (!channel->is_muted)
		return;
	channel->is_muted = false;
	xenevtchn_unmask(channels->evtchn, (evtchn_port_t)channel->local_port);
}

/* ---- subscriptions ------------------------------------------------------ */

int xen_channels_subscribe(struct xen_channels *channels, const struct domain_id *id,
			   enum xen_channel_kind kind)
{
	struct channel *channel = find_channel(channels, id, kind);
	int r;

	assert(channels && id);
	if (!channel)
		return -ENOTCONN;
	r = xen_control_subscribe(channels->control, id->domid, channel->guest_port);
	if (r < 0)
		return r;
	unmute(channels, channel);
	channel->subscribed = true;
	channel->subscribed_for_next = true;
	return 0;
}

bool xen_channels_take_subscription(struct xen_channels *channels, const struct domain_id *id,
				    enum xen_channel_kind kind)
{
	struct channel *channel = find_channel(channels, id, kind);
	bool was_subscribed = channel && channel->subscribed_for_next;

	assert(channels && id);
	if (channel)
		channel->subscribed_for_next = false;
	return was_subscribed;
}

int xen_channels_unsubscribe(struct xen_channels *channels, const struct domain_id *id)
{
	int r = xen_control_subscribe(channels->control, id->domid, 0);

	assert(channels && id);
	/* After a failure, xen_channels_free tries again. */
	for (size_t i = 0; r == 0 && i < channels->n_channels; i++)
		if (domain_id_equal(&channels->channels[i].id, id))
			channels->channels[i].subscribed = false;
	return r;
}

/* ---- events ------------------------------------------------------------- */

int xen_channels_notify(struct xen_channels *channels, const struct domain_id *id,
			enum xen_channel_kind kind)
{
	const struct channel *channel = find_channel(channels, id, kind);

	assert(channels && id);
	if (!channel || channel->local_port < 0)
		return -ENOTCONN;
	return xenevtchn_notify(channels->evtchn, (evtchn_port_t)channel->local_port) < 0 ? -errno
											  : 0;
}

static struct channel *find_local_port(struct xen_channels *channels, int port)
{
	for (size_t i = 0; i < channels->n_channels; i++)
		if (channels->channels[i].local_port == port)
			return &channels->channels[i];
	return NULL;
}

/*
 * Ends the channel's subscription, so that xenstored learns from Xen when the guest suspends,
 * and reports it as it reports other ends of a domain.
 */
static void mute(struct xen_channels *channels, struct channel *channel)
{
	channel->is_muted = true;
	if (channel->subscribed)
		xen_channels_unsubscribe(channels, &channel->id);
}

/*
 * Reading an event has masked its port. A port stays masked if its channel has too many events,
 * or if it belongs to no channel.
 */
int xen_channels_next(struct xen_channels *channels, uint32_t *ret_domid)
{
	xenevtchn_port_or_error_t port = xenevtchn_pending(channels->evtchn);
	struct channel *channel;

	assert(ret_domid);
	if (port < 0)
		return errno == EAGAIN ? 0 : -errno;
	channel = find_local_port(channels, port);
	if (channel && ++channel->n_events > EVENTS_MAX)
		mute(channels, channel);
	else if (channel)
		xenevtchn_unmask(channels->evtchn, (evtchn_port_t)port);
	*ret_domid = channel ? channel->id.domid : HYPERVISOR_ALL_DOMAINS;
	return 1;
}

bool xen_channels_next_muted(const struct xen_channels *channels, size_t *index,
			     uint32_t *ret_domid)
{
	assert(channels && index && ret_domid);
	while (*index < channels->n_channels) {
		const struct channel *channel = &channels->channels[(*index)++];

		if (!channel->is_muted)
			continue;
		*ret_domid = channel->id.domid;
		return true;
	}
	return false;
}
