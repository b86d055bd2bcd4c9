/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_CHANNEL_H
#define GUEST_AGENT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "pmcoord/protocol.h"

/*
 * The channel to dom0: the guest's xenstore nodes (paths relative to its home) and one
 * event channel. channel-xen.c, the only file with Xen's headers, implements it; tests
 * have an implementation in memory.
 *
 * No call waits for the coordinator.
 */

struct channel;

/* The outcome of a commit. */
enum channel_commit {
	CHANNEL_COMMITTED,
	CHANNEL_RETRACTED, /* dom0's request has changed: nothing was written */
};

struct channel_ops {
	/*
	 * Reads a node into `ret`. Returns its length (at most `size`), -ENOENT
	 * or another negative errno.
	 */
	int (*read)(struct channel *channel, const char *node, char *ret, size_t size);
	/* Writes a node; NULL removes it. Returns 0 or negative errno. */
	int (*write)(struct channel *channel, const char *node, const char *text);
	/*
	 * In one transaction: reads dom0's request again and, if it is still
	 * `request`, writes `state` and control/shutdown = suspend, on which the
	 * guest's kernel suspends. Returns an enum channel_commit or negative errno.
	 */
	int (*commit)(struct channel *channel, const struct protocol_request *request,
		      const struct protocol_state *state);
	/*
	 * Clears control/shutdown in a transaction, unless the kernel has
	 * acknowledged it or it is not `suspend`. Returns 0 or negative errno.
	 */
	int (*withdraw)(struct channel *channel);
	/* Sends an event to dom0. Returns 0 or negative errno. */
	int (*notify)(struct channel *channel);
	/* Consumes pending events. Returns how many, or negative errno. */
	int (*drain)(struct channel *channel);
	/* Consumes xenstore watches that have fired. Returns how many, or negative errno. */
	int (*take_watches)(struct channel *channel);
	/*
	 * Replaces the event channel by a new one, with a new port: after a restore
	 * or a migration of the guest the old one does not exist any more. Returns 0
	 * or negative errno.
	 */
	int (*renew)(struct channel *channel, struct error *error);
	void (*close)(struct channel *channel);
};

struct channel {
	const struct channel_ops *ops;
	int event_fd; /* readable when events are pending */
	int watch_fd; /* readable when watches have fired */
	unsigned int port;
	bool kept; /* taken over from an earlier agent process, with its pending events */
};

/*
 * The event channel of an earlier agent process, from systemd's file descriptor store.
 * fd < 0: there is none.
 */
struct channel_past {
	int fd;
	unsigned int port;
};

/*
 * Opens xenstore and the event channel device, binds a port for dom0, and watches
 * dom0's nodes. If `past` is still valid, takes it and its fd over instead of binding a
 * port. Returns 0, or negative errno with `error` set; release `*ret` with
 * channel_close().
 */
int channel_open_xen(const struct channel_past *past, struct channel **ret, struct error *error);

#define CHANNEL_TEXT_MAX (PROTOCOL_DETAIL_MAX + 1)

/*
 * Reads nodes of this guest for display, without a channel; an absent node is "".
 * Returns 0, or negative errno with `error` set.
 */
int channel_peek_xen(const char *const *nodes, size_t n_nodes, char (*ret)[CHANNEL_TEXT_MAX],
		     struct error *error);

/* NULL is a no-op. */
void channel_close(struct channel *channel);

#endif
