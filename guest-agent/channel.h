/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_CHANNEL_H
#define GUEST_AGENT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "pmcoord/protocol.h"

/*
 * The guest's ends of what it shares with dom0: its own xenstore nodes (paths
 * relative to its home) and one event channel. The Xen one is in channel-xen.c,
 * the only file with Xen's headers; tests have one in memory.
 *
 * All calls are short and none waits for dom0's coordinator.
 */

struct channel;

/* How a commit ended. */
enum channel_commit {
	CHANNEL_COMMITTED,
	CHANNEL_RETRACTED, /* the request that stands is another */
};

struct channel_ops {
	/*
	 * Reads a node into `ret`. Returns its length (at most `size`), -ENOENT
	 * or another negative errno.
	 */
	int (*read)(struct channel *channel, const char *node, char *ret, size_t size);
	/* Writes a node; NULL removes it. */
	int (*write)(struct channel *channel, const char *node, const char *text);
	/*
	 * In one transaction: if the request is `request`, writes `state` and
	 * asks the own kernel to suspend. Returns an enum channel_commit or
	 * negative errno.
	 */
	int (*commit)(struct channel *channel, const struct protocol_request *request,
		      const struct protocol_state *state);
	/*
	 * Takes the own question to the kernel back, in a transaction, unless
	 * the kernel has acknowledged it. Returns 0 or negative errno.
	 */
	int (*withdraw)(struct channel *channel);
	/* Signals dom0. */
	int (*notify)(struct channel *channel);
	/* Swallows events that are pending. Returns how many. */
	int (*drain)(struct channel *channel);
	/* Swallows xenstore watches that have fired. Returns how many. */
	int (*take_watches)(struct channel *channel);
	/*
	 * Gives the channel up and makes a new one, with a new port: the domain
	 * has been moved or restored, and its old one is gone.
	 */
	int (*renew)(struct channel *channel, struct error *error);
	void (*close)(struct channel *channel);
};

struct channel {
	const struct channel_ops *ops;
	int event_fd; /* readable: events are pending */
	int watch_fd; /* readable: watches have fired */
	unsigned int port;
	bool kept; /* a predecessor's, with what was pending */
};

/* A predecessor's channel, from systemd's file descriptor store; fd < 0: none.
 */
struct channel_past {
	int fd;
	unsigned int port;
};

/*
 * Opens xenstore and the event channel device, binds a port for dom0 (or takes
 * over `past`, whose fd is then the channel's) and watches the request.
 * Returns 0, or negative errno with an `error` that says what to do.
 */
int channel_open_xen(const struct channel_past *past, struct channel **ret, struct error *error);

#define CHANNEL_TEXT_MAX (PROTOCOL_DETAIL_MAX + 1)

/*
 * Reads own nodes for people, without a channel. What is not there is "".
 */
int channel_peek_xen(const char *const *nodes, size_t n_nodes, char (*ret)[CHANNEL_TEXT_MAX],
		     struct error *error);

/* NULL is fine. */
void channel_close(struct channel *channel);

#endif
