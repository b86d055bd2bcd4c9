/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_CHANNEL_H
#define GUEST_AGENT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/error.h"
#include "pmcoord/protocol.h"

/*
 * The channel to dom0: one event channel, and the guest's xenstore nodes by paths relative to
 * /local/domain/<domid>. channel-xen.c, the only file with Xen's headers, implements it; tests
 * have an implementation in memory.
 *
 * No call waits for an answer from pmcoord in dom0.
 */

struct channel;

/* The outcome of a commit. */
enum channel_commit {
	CHANNEL_COMMITTED,
	CHANNEL_RETRACTED, /* nothing was written, because dom0's request has changed */
};

struct channel_ops {
	/*
	 * Reads a node into `ret`, without a NUL. Returns the node's length;
	 * -EMSGSIZE if it is longer than `size`; -ENOENT if there is no such node;
	 * or another negative errno.
	 */
	int (*read)(struct channel *channel, const char *node, char *ret, size_t size);
	/* Writes `text` to a node; NULL removes the node. Returns 0 or negative errno. */
	int (*write)(struct channel *channel, const char *node, const char *text);
	/*
	 * Reads dom0's request again and, if it is still `request`, writes `state` and
	 * control/shutdown = suspend, all in one transaction. The guest's kernel
	 * suspends when control/shutdown is written. Returns an enum channel_commit or
	 * negative errno.
	 */
	int (*commit)(struct channel *channel, const struct protocol_request *request,
		      const struct protocol_state *state);
	/*
	 * Clears control/shutdown if it is still `suspend`, in one transaction. No-op
	 * if the kernel has cleared it already, or the toolstack has written another
	 * value. Returns 0 or negative errno.
	 */
	int (*withdraw)(struct channel *channel);
	/* Sends an event to dom0. Returns 0 or negative errno. */
	int (*notify)(struct channel *channel);
	/* Consumes pending events. Returns the number of events, or negative errno. */
	int (*drain)(struct channel *channel);
	/* Consumes xenstore watches that have fired. Returns their number, or negative errno. */
	int (*take_watches)(struct channel *channel);
	/*
	 * Replaces the event channel with a new one, which has a new port. Needed after the
	 * guest was migrated, or restored from a file, because the old channel does not exist
	 * any more. Returns 0 or negative errno.
	 */
	int (*renew)(struct channel *channel, struct error *error);
	/* Closes the channel and frees it. */
	void (*close)(struct channel *channel);
};

struct channel {
	const struct channel_ops *ops;
	int event_fd; /* readable when events are pending */
	int watch_fd; /* readable when watches have fired */
	unsigned int port; /* the guest's port of the event channel */
	bool kept; /* taken over from an earlier agent process, with the pending events */
};

/* The event channel of an earlier agent process, from systemd's file descriptor store. */
struct channel_past {
	int fd; /* -1 if there is no such channel */
	unsigned int port;
};

/*
 * Opens xenstore and watches dom0's nodes. If the event channel `past` still exists, takes
 * over that channel and its fd. Otherwise opens the event channel device and binds a port for
 * dom0. Returns 0, or negative errno with `error` set; release `*ret` with channel_close().
 */
int channel_open_xen(const struct channel_past *past, struct channel **ret, struct error *error);

/* The size of a node's text, with its NUL; a longer text is truncated. */
#define CHANNEL_TEXT_MAX (PROTOCOL_DETAIL_MAX + 1)

/*
 * Reads nodes of this guest for display, without opening a channel. `ret` has one text per
 * node, which is "" if the node does not exist. Returns 0, or negative errno with `error`
 * set.
 */
int channel_peek_xen(const char *const *nodes, size_t n_nodes, char (*ret)[CHANNEL_TEXT_MAX],
		     struct error *error);

/* Closes a channel of channel_open_xen(). NULL is a no-op. */
void channel_close(struct channel *channel);

#endif
