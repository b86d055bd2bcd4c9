/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-requests.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "pmcoord/protocol.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "xen/xen-domains.h"

/*
 * How many times a retraction is tried in a transaction. Each attempt costs four replies of
 * xenstored. A guest that only acknowledges makes at most one of them fail.
 */
#define RETRACT_ATTEMPTS 8

/* In place of a transaction: the access is of its own. */
#define NO_TRANSACTION 0

/* Returns the kind of channel that a request by this mechanism uses. */
static enum xen_channel_kind channel_kind(enum mechanism mechanism)
{
	return mechanism == MECHANISM_AGENT || mechanism == MECHANISM_EVENT_CHANNEL
		       ? XEN_CHANNEL_PUBLISHED
		       : XEN_CHANNEL_OWN;
}

/* ---- ahead of a request ------------------------------------------------- */

static int prepare_agent(const struct xen_requests *requests, const struct domain_id *id,
			 uint32_t guest_port)
{
	int r = xen_channels_open_published(requests->channels, id, guest_port);

	return r == PREPARED ? xen_watches_watch_agent(requests->watches, id->domid) : r;
}

int xen_requests_prepare(const struct xen_requests *requests, const struct guest *guest,
			 enum mechanism mechanism)
{
	struct domain_id id = domain_id_of(guest);
	int r = xen_domains_check(requests->control, &id);

	if (r < 0)
		return r;
	switch (mechanism) {
	case MECHANISM_AGENT:
		return prepare_agent(requests, &id, guest->agent.port);
	case MECHANISM_EVENT_CHANNEL:
		return xen_channels_open_published(requests->channels, &id, guest->kernel_port);
	case MECHANISM_XENSTORE:
		xen_shutdown_nodes_prepare(requests->nodes, &id);
		return xen_channels_open_own(requests->channels, &id);
	case MECHANISM_HVM:
		return xen_channels_open_own(requests->channels, &id);
	case MECHANISM_NONE:
	case MECHANISM_PAUSE:
		break;
	}
	return PREPARED;
}

static int publish_terms(struct xen_store *store, uint32_t domid, const struct agent_terms *terms)
{
	char timeout_ms[24];
	int r;

	snprintf(timeout_ms, sizeof(timeout_ms), "%" PRIu64, terms->timeout_us / 1000);
	r = xen_store_publish(store, domid, PROTOCOL_NODE_TIMEOUT, timeout_ms);
	return r < 0 ? r
		     : xen_store_publish(store, domid, PROTOCOL_NODE_INHIBITORS,
					 terms->ignore_inhibitors ? PROTOCOL_INHIBITORS_IGNORE
								  : PROTOCOL_INHIBITORS_HONOUR);
}

int xen_requests_arm(const struct xen_requests *requests, const struct domain_id *id,
		     uint64_t cycle, const struct agent_terms *terms)
{
	struct protocol_request request = { PROTOCOL_SUSPEND, cycle };
	char text[PROTOCOL_TEXT_MAX];
	int r = xen_domains_check(requests->control, id);

	assert(terms);
	if (r < 0)
		return r;
	xen_inventory_expire(requests->inventory, id->domid);
	/* Publish the terms before the request, because a new request makes the agent read both. */
	r = publish_terms(requests->store, id->domid, terms);
	if (r < 0)
		return r;
	protocol_format_request(&request, text);
	return xen_store_publish(requests->store, id->domid, PROTOCOL_NODE_REQUEST, text);
}

/* Called before each request, because another program can replace the subscription. */
int xen_requests_subscribe(const struct xen_requests *requests, const struct domain_id *id,
			   enum mechanism mechanism)
{
	int r = xen_domains_check(requests->control, id);

	return r < 0 ? r : xen_channels_subscribe(requests->channels, id, channel_kind(mechanism));
}

/* ---- the request -------------------------------------------------------- */

static int require_subscription(const struct xen_requests *requests, const struct domain_id *id,
				enum mechanism mechanism)
{
	enum xen_channel_kind kind = channel_kind(mechanism);
	int r;

	if (xen_channels_take_subscription(requests->channels, id, kind))
		return 0;
	r = xen_requests_subscribe(requests, id, mechanism);
	if (r == 0)
		xen_channels_take_subscription(requests->channels, id, kind);
	return r;
}

/*
 * Reads the guest right before its request: another program may have paused it, or requested it to
 * suspend, meanwhile. Returns REQUESTED if the guest is to be requested.
 */
static int look_before_request(const struct xen_requests *requests, const struct domain_id *id)
{
	struct xen_domain domain;
	int r = xen_domains_read(requests->control, id, &domain);

	/* If this fails, the guest is requested without the latest changes. */
	if (r == 0)
		xen_inventory_read_changes(requests->inventory);
	if (r < 0)
		return r;
	if (domain.state.state == GUEST_PAUSED)
		return REQUEST_IS_PAUSED;
	return domain.state.state == GUEST_SUSPENDED ? REQUEST_IS_TAKEN : REQUESTED;
}

/*
 * Shuts an HVM domain down from outside. A domain whose PV drivers were loaded after the
 * inventory must make its suspend hypercall itself: it would be resumed as if it had.
 */
static int force_suspend(struct xen_control *control, uint32_t domid)
{
	uint64_t callback;
	int r = xen_control_get_callback_irq(control, domid, &callback);

	if (r < 0)
		return r;
	return callback != 0 ? REQUEST_HAS_DRIVERS : xen_control_suspend(control, domid);
}

int xen_requests_send(const struct xen_requests *requests, const struct domain_id *id,
		      enum mechanism mechanism)
{
	int r = require_subscription(requests, id, mechanism);

	if (r == 0)
		r = look_before_request(requests, id);
	if (r != REQUESTED)
		return r;
	switch (mechanism) {
	case MECHANISM_AGENT:
	case MECHANISM_EVENT_CHANNEL:
		return xen_channels_notify(requests->channels, id, channel_kind(mechanism));
	case MECHANISM_XENSTORE:
		return xen_shutdown_nodes_request(requests->nodes, id);
	case MECHANISM_HVM:
		return force_suspend(requests->control, id->domid);
	case MECHANISM_NONE:
	case MECHANISM_PAUSE:
		break;
	}
	return -EINVAL;
}

/* ---- retraction --------------------------------------------------------- */

/*
 * Whether the agent has quiesced for this cycle. An agent requests its own
 * kernel to suspend only after it has quiesced.
 */
static bool agent_has_quiesced(struct xen_store *store, uint32_t transaction,
			       const struct domain_id *id, uint64_t cycle)
{
	_cleanup_(freep) char *text =
		xen_store_read_within(store, transaction, id->domid, PROTOCOL_NODE_STATE);
	struct protocol_state agent;

	return text && protocol_parse_state(text, strlen(text), &agent) == 0 &&
	       agent.state == PROTOCOL_AGENT_QUIESCED && agent.cycle == cycle;
}

static int abort_agent(struct xen_store *store, uint32_t transaction, const struct domain_id *id,
		       uint64_t cycle)
{
	struct protocol_request request = { PROTOCOL_ABORT, cycle };
	char text[PROTOCOL_TEXT_MAX];

	protocol_format_request(&request, text);
	return xen_store_write_within(store, transaction, id->domid, PROTOCOL_NODE_REQUEST, text);
}

/* Whether there is a request that the guest's kernel has not acknowledged yet. */
static bool is_pending(struct xen_store *store, uint32_t transaction, const struct domain_id *id)
{
	_cleanup_(freep) char *text =
		xen_store_read_within(store, transaction, id->domid, PROTOCOL_NODE_SHUTDOWN);

	return text && strcmp(text, PROTOCOL_SHUTDOWN_SUSPEND) == 0;
}

/*
 * Makes one attempt to retract a request, in one transaction. With
 * MECHANISM_AGENT, aborts the request to the agent. With any mechanism, clears
 * the request to the kernel if the kernel has not acknowledged it yet. `was_sent`: the
 * kernel may have got a request. Returns
 * an enum retract_outcome, -EAGAIN if another program wrote one of the nodes
 * meanwhile, or another negative errno.
 */
static int retract_once(struct xen_store *store, const struct domain_id *id,
			enum mechanism mechanism, uint64_t cycle, bool was_sent)
{
	bool kernel_has_request = was_sent;
	uint32_t transaction;
	int r = xen_store_begin(store, &transaction), end;

	if (r < 0)
		return r;
	if (mechanism == MECHANISM_AGENT) {
		kernel_has_request = agent_has_quiesced(store, transaction, id, cycle);
		r = abort_agent(store, transaction, id, cycle);
	}
	if (is_pending(store, transaction, id) && r == 0) {
		r = xen_store_write_within(store, transaction, id->domid, PROTOCOL_NODE_SHUTDOWN,
					   "");
		kernel_has_request = false;
	}
	end = xen_store_end(store, transaction, r == 0);
	if (end < 0)
		return end;
	/*
	 * Return -EIO for every failed write, because the caller takes -EAGAIN for a
	 * conflict and tries again.
	 */
	if (r < 0)
		return -EIO;
	return kernel_has_request ? RETRACT_TOO_LATE : RETRACTED;
}

/*
 * Retracts a request without a transaction. The guest may acknowledge the request between
 * the read and the write, so it may still suspend.
 */
static int retract_plainly(struct xen_store *store, const struct domain_id *id,
			   enum mechanism mechanism, uint64_t cycle)
{
	int r = 0;

	if (mechanism == MECHANISM_AGENT)
		r = abort_agent(store, NO_TRANSACTION, id, cycle);
	if (r == 0 && is_pending(store, NO_TRANSACTION, id))
		r = xen_store_write_domain(store, id->domid, PROTOCOL_NODE_SHUTDOWN, "");
	return r < 0 ? r : RETRACT_TOO_LATE;
}

/* A guest that writes its nodes without end makes each transaction fail, but not for ever. */
static int retract(const struct xen_requests *requests, const struct domain_id *id,
		   enum mechanism mechanism, uint64_t cycle)
{
	bool was_sent = !xen_shutdown_nodes_request_failed(requests->nodes, id);

	for (int i = 0; i < RETRACT_ATTEMPTS; i++) {
		int r = retract_once(requests->store, id, mechanism, cycle, was_sent);

		if (r != -EAGAIN)
			return r;
	}
	return retract_plainly(requests->store, id, mechanism, cycle);
}

int xen_requests_retract(const struct xen_requests *requests, const struct domain_id *id,
			 enum mechanism mechanism, uint64_t cycle)
{
	int r = xen_domains_check(requests->control, id);

	if (r < 0)
		return r;
	/* An event and a hypercall cannot be retracted. */
	if (mechanism == MECHANISM_EVENT_CHANNEL || mechanism == MECHANISM_HVM)
		return RETRACT_TOO_LATE;
	xen_inventory_expire(requests->inventory, id->domid);
	r = retract(requests, id, mechanism, cycle);
	if (r < 0)
		return r;
	if (mechanism == MECHANISM_AGENT)
		xen_channels_notify(requests->channels, id, XEN_CHANNEL_PUBLISHED);
	if (r == RETRACTED)
		xen_channels_unsubscribe(requests->channels, id);
	return r;
}

/* ---- the agent ---------------------------------------------------------- */

static void read_detail(struct xen_store *store, const struct domain_id *id,
			struct agent_state *state)
{
	_cleanup_(freep) char *detail =
		xen_store_read_domain(store, id->domid, PROTOCOL_NODE_DETAIL);

	if (detail)
		text_sanitize(detail, strlen(detail), state->detail, sizeof(state->detail));
}

int xen_requests_get_agent_state(const struct xen_requests *requests, const struct domain_id *id,
				 struct agent_state *ret_state)
{
	_cleanup_(freep) char *text =
		xen_store_read_domain(requests->store, id->domid, PROTOCOL_NODE_STATE);
	struct agent_state state = { 0 };

	assert(ret_state);
	if (!text)
		return errno == ENOENT ? -ENODATA : -errno;
	if (protocol_parse_state(text, strlen(text), &state.state) < 0)
		return -EBADMSG;
	/*
	 * A quiesced agent has published no detail; reading the node would only
	 * delay other guests.
	 */
	if (state.state.state != PROTOCOL_AGENT_QUIESCED)
		read_detail(requests->store, id, &state);
	*ret_state = state;
	return 0;
}

/*
 * Binds the port that the agent has published. Needed after a crash of pmcoord,
 * because the new process has not prepared the guest.
 */
static int bind_agent(const struct xen_requests *requests, const struct domain_id *id)
{
	uint32_t port = (uint32_t)xen_store_read_number(requests->store, id->domid,
							PROTOCOL_NODE_EVENT_CHANNEL, UINT32_MAX, 0);
	int r = port ? xen_channels_open_published(requests->channels, id, port) : -ENOTCONN;

	if (r != PREPARED)
		return r < 0 ? r : -ENOTCONN;
	/* A failure is ignored, because the event can be sent without the watch. */
	xen_watches_watch_agent(requests->watches, id->domid);
	return 0;
}

int xen_requests_wake_agent(const struct xen_requests *requests, const struct domain_id *id)
{
	int r = 0;

	if (!xen_channels_is_bound(requests->channels, id, XEN_CHANNEL_PUBLISHED))
		r = bind_agent(requests, id);
	return r < 0 ? r : xen_channels_notify(requests->channels, id, XEN_CHANNEL_PUBLISHED);
}
