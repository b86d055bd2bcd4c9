/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "channel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xenstore.h>

#include "pmcoord/error.h"
#include "pmcoord/parse.h"
#include "pmcoord/protocol.h"
#include "channel.h"

#define DOM0 0

/*
 * The maximum number of tries for a transaction that conflicts with others. If the last try
 * conflicts, too, the transaction fails with -EAGAIN.
 */
#define TRANSACTION_TRIES 64

/*
 * The watches have their own connection to xenstore. On a connection with watches, libxenstore
 * reads in a separate thread, which delays each answer.
 */
struct xen_channel {
	struct channel base;
	struct xs_handle *store;
	struct xs_handle *watches;
	xenevtchn_handle *events;
};

static struct xen_channel *to_xen(struct channel *channel)
{
	return (struct xen_channel *)channel;
}

static int failure(void)
{
	return errno > 0 ? -errno : -EIO;
}

/* Reads a node, in a transaction or outside of any (XBT_NULL). Returns as channel_ops.read(). */
static int read_node(struct xen_channel *xen, xs_transaction_t transaction, const char *node,
		     char *ret, size_t size)
{
	unsigned int length;
	char *value = xs_read(xen->store, transaction, node, &length);

	if (!value)
		return failure();
	if (length > size) {
		free(value);
		return -EMSGSIZE;
	}
	memcpy(ret, value, length);
	free(value);
	return (int)length;
}

static int xen_read(struct channel *channel, const char *node, char *ret, size_t size)
{
	return read_node(to_xen(channel), XBT_NULL, node, ret, size);
}

static int xen_write(struct channel *channel, const char *node, const char *text)
{
	struct xs_handle *store = to_xen(channel)->store;

	if (!text)
		return xs_rm(store, XBT_NULL, node) || errno == ENOENT ? 0 : failure();
	return xs_write(store, XBT_NULL, node, text, (unsigned int)strlen(text)) ? 0 : failure();
}

/*
 * Makes the reads and writes of a transaction. Returns 0 or a positive outcome if the
 * transaction is to be committed, or negative errno if it is to be aborted.
 */
typedef int (*transaction_fn)(struct xen_channel *xen, xs_transaction_t transaction, void *data);

/*
 * Runs a transaction, and repeats it while it conflicts with others. Returns the outcome of
 * `contents`, or negative errno.
 */
static int transact(struct xen_channel *xen, transaction_fn contents, void *data)
{
	for (int i = 0; i < TRANSACTION_TRIES; i++) {
		xs_transaction_t transaction = xs_transaction_start(xen->store);
		int r;

		if (transaction == XBT_NULL)
			return failure();
		r = contents(xen, transaction, data);
		if (xs_transaction_end(xen->store, transaction, r < 0) || r < 0)
			return r;
		if (errno != EAGAIN)
			return failure();
	}
	return -EAGAIN;
}

struct commit {
	const struct protocol_request *request;
	const struct protocol_state *state;
};

static int commit_contents(struct xen_channel *xen, xs_transaction_t transaction, void *data)
{
	const struct commit *commit = data;
	struct protocol_request request;
	char text[PROTOCOL_TEXT_MAX];
	size_t length;
	int n = read_node(xen, transaction, PROTOCOL_NODE_REQUEST, text, sizeof(text));

	if (n == -ENOENT || n == -EMSGSIZE)
		return CHANNEL_RETRACTED;
	if (n < 0)
		return n;
	if (protocol_parse_request(text, (size_t)n, &request) < 0 ||
	    request.verb != commit->request->verb || request.cycle != commit->request->cycle)
		return CHANNEL_RETRACTED;
	length = protocol_format_state(commit->state, text);
	if (!xs_write(xen->store, transaction, PROTOCOL_NODE_STATE, text, (unsigned int)length) ||
	    !xs_write(xen->store, transaction, PROTOCOL_NODE_SHUTDOWN, PROTOCOL_SHUTDOWN_SUSPEND,
		      (unsigned int)strlen(PROTOCOL_SHUTDOWN_SUSPEND)))
		return failure();
	return CHANNEL_COMMITTED;
}

static int xen_commit(struct channel *channel, const struct protocol_request *request,
		      const struct protocol_state *state)
{
	struct commit commit = { request, state };

	return transact(to_xen(channel), commit_contents, &commit);
}

static int withdraw_contents(struct xen_channel *xen, xs_transaction_t transaction, void *data)
{
	char text[32];
	int n = read_node(xen, transaction, PROTOCOL_NODE_SHUTDOWN, text, sizeof(text));

	(void)data;
	if (n == -ENOENT || n == -EMSGSIZE)
		return 0;
	if (n < 0)
		return n;
	/*
	 * Any other value stays: the kernel has acknowledged the suspend (""), or the
	 * toolstack has requested something else.
	 */
	if ((size_t)n != strlen(PROTOCOL_SHUTDOWN_SUSPEND) ||
	    memcmp(text, PROTOCOL_SHUTDOWN_SUSPEND, (size_t)n) != 0)
		return 0;
	return xs_write(xen->store, transaction, PROTOCOL_NODE_SHUTDOWN, "", 0) ? 0 : failure();
}

static int xen_withdraw(struct channel *channel)
{
	return transact(to_xen(channel), withdraw_contents, NULL);
}

static int xen_notify(struct channel *channel)
{
	struct xen_channel *xen = to_xen(channel);

	return xenevtchn_notify(xen->events, channel->port) < 0 ? failure() : 0;
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN);
}

/*
 * Unmasks the port before the caller reads what has changed, so that no event for a
 * later change is missed.
 */
static int xen_drain(struct channel *channel)
{
	struct xen_channel *xen = to_xen(channel);
	int n = 0;

	/* Poll before each read, because the device may block despite O_NONBLOCK. */
	while (is_readable(channel->event_fd)) {
		xenevtchn_port_or_error_t port = xenevtchn_pending(xen->events);

		if (port < 0)
			return failure();
		if (xenevtchn_unmask(xen->events, (evtchn_port_t)port) < 0)
			return failure();
		n++;
	}
	return n;
}

static int xen_take_watches(struct channel *channel)
{
	int n = 0;
	char **watch;

	while ((watch = xs_check_watch(to_xen(channel)->watches))) {
		free(watch);
		n++;
	}
	return errno == EAGAIN ? n : failure();
}

/* Opens the event channel device and allocates an unbound port, to which dom0 can bind. */
static int bind_port(struct xen_channel *xen, struct error *error)
{
	xenevtchn_port_or_error_t port;

	xen->events = xenevtchn_open(NULL, 0);
	if (!xen->events)
		return error_set(
			error, failure(),
			"cannot open /dev/xen/evtchn: %s; load its driver with 'modprobe xen-evtchn'",
			strerror(errno));
	port = xenevtchn_bind_unbound_port(xen->events, DOM0);
	if (port < 0)
		return error_set(error, failure(), "cannot allocate an event channel for dom0: %s",
				 strerror(errno));
	xen->base.port = (unsigned int)port;
	xen->base.event_fd = xenevtchn_fd(xen->events);
	xen->base.kept = false;
	return 0;
}

/*
 * Takes over the channel of an earlier agent. Returns false, and closes the channel's fd,
 * if the channel does not exist any more. The port is unmasked, because the earlier agent
 * may have died before it had handled an event. xenevtchn_notify() tests the port: it fails
 * with ENOTCONN if the port does not belong to past->fd.
 */
static bool adopt_port(struct xen_channel *xen, const struct channel_past *past)
{
	xen->events = xenevtchn_fdopen(NULL, past->fd, 0);
	if (!xen->events) {
		close(past->fd);
		return false;
	}
	if (xenevtchn_unmask(xen->events, past->port) < 0 ||
	    xenevtchn_notify(xen->events, past->port) < 0) {
		/* This also closes past->fd. */
		xenevtchn_close(xen->events);
		xen->events = NULL;
		return false;
	}
	xen->base.port = past->port;
	xen->base.event_fd = xenevtchn_fd(xen->events);
	xen->base.kept = true;
	return true;
}

static int xen_renew(struct channel *channel, struct error *error)
{
	struct xen_channel *xen = to_xen(channel);

	xenevtchn_close(xen->events);
	xen->events = NULL;
	return bind_port(xen, error);
}

static void free_handles(struct xen_channel *xen)
{
	if (xen->store)
		xs_close(xen->store);
	if (xen->watches)
		xs_close(xen->watches);
	if (xen->events)
		xenevtchn_close(xen->events);
	free(xen);
}

static void xen_close(struct channel *channel)
{
	struct xen_channel *xen = to_xen(channel);

	free_handles(xen);
}

static const struct channel_ops xen_ops = {
	.read = xen_read,
	.write = xen_write,
	.commit = xen_commit,
	.withdraw = xen_withdraw,
	.notify = xen_notify,
	.drain = xen_drain,
	.take_watches = xen_take_watches,
	.renew = xen_renew,
	.close = xen_close,
};

/* Sets `error` from the errno of an xs_open() that has just failed. Returns negative errno. */
static int report_open_failure(struct error *error)
{
	int r = failure();

	return error_set(error, r,
			 "cannot open xenstore: %s; run pmcoord-agent as root in a Xen guest",
			 strerror(-r));
}

static int open_store(struct xen_channel *xen, struct error *error)
{
	xen->store = xs_open(0);
	xen->watches = xs_open(0);
	if (!xen->store || !xen->watches)
		return report_open_failure(error);
	/* A node need not exist to be watched. Each watch fires once when it is set. */
	if (!xs_watch(xen->watches, PROTOCOL_NODE_REQUEST, "request") ||
	    !xs_watch(xen->watches, PROTOCOL_NODE_TIMEOUT, "timeout"))
		return error_set(error, failure(), "cannot watch %s or %s in xenstore: %s",
				 PROTOCOL_NODE_REQUEST, PROTOCOL_NODE_TIMEOUT, strerror(errno));
	xen->base.watch_fd = xs_fileno(xen->watches);
	return 0;
}

int channel_open_xen(const struct channel_past *past, struct channel **ret, struct error *error)
{
	struct xen_channel *xen = calloc(1, sizeof(*xen));
	int r;

	assert(past && ret);
	if (!xen)
		return error_set(error, -ENOMEM, "out of memory");
	xen->base.ops = &xen_ops;
	r = open_store(xen, error);
	if (r == 0 && (past->fd < 0 || !adopt_port(xen, past)))
		r = bind_port(xen, error);
	if (r < 0) {
		free_handles(xen);
		return r;
	}
	*ret = &xen->base;
	return 0;
}

int channel_peek_xen(const char *const *nodes, size_t n_nodes, char (*ret)[CHANNEL_TEXT_MAX],
		     struct error *error)
{
	struct xs_handle *store = xs_open(0);

	assert(nodes && ret);
	if (!store)
		return report_open_failure(error);
	for (size_t i = 0; i < n_nodes; i++) {
		unsigned int length;
		char *value = xs_read(store, XBT_NULL, nodes[i], &length);

		ret[i][0] = '\0';
		if (value)
			text_sanitize(value, length, ret[i], CHANNEL_TEXT_MAX);
		free(value);
	}
	xs_close(store);
	return 0;
}

void channel_close(struct channel *channel)
{
	if (channel)
		channel->ops->close(channel);
}
