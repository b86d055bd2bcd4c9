/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_NETLINK_H
#define GUEST_AGENT_NET_NETLINK_H

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Makes the rtnetlink(7) requests that the agent needs. Each request blocks until the
 * kernel answers. It fails with -EAGAIN after ten seconds without an answer.
 */

struct netlink {
	int fd;
	uint32_t sequence; /* the number of the last request */
};

/* A message under construction. */
struct netlink_message {
	union {
		struct nlmsghdr header;
		char bytes[16384];
	};
};

/*
 * Opens a socket that also receives the messages of the multicast `groups` (RTMGRP_* flags;
 * 0 for none). Returns 0 or negative errno.
 */
int netlink_open(struct netlink *ret, uint32_t groups);
void netlink_close(struct netlink *netlink);

/*
 * Starts a message of `type`. Returns its payload header (e.g. a struct ifinfomsg): `size`
 * bytes, all zero.
 */
void *netlink_begin(struct netlink_message *message, uint16_t type, uint16_t flags, size_t size);

/* Appends an attribute. Returns 0, or -EMSGSIZE if the attribute does not fit. */
int netlink_put(struct netlink_message *message, uint16_t type, const void *data, size_t length);
/* Appends a copy of `attribute`; no-op if NULL. Returns the same as netlink_put(). */
int netlink_copy(struct netlink_message *message, const struct rtattr *attribute);
/* Appends an attribute that is a number. Returns the same as netlink_put(). */
int netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t value);

/*
 * Starts a nested attribute. Everything that is appended until netlink_nest_end() goes into
 * this attribute. Returns the nested attribute, or NULL if it does not fit.
 */
struct rtattr *netlink_nest(struct netlink_message *message, uint16_t type);
void netlink_nest_end(struct netlink_message *message, struct rtattr *nest);

/* Sends the message and waits for the acknowledgement. Returns 0 or negative errno. */
int netlink_request(struct netlink *netlink, struct netlink_message *message);

/* Called for each message of a dump. Returns 0, or negative errno to end the dump. */
typedef int (*netlink_fn)(void *data, const struct nlmsghdr *message);

/*
 * Sends `request`, which was started with NLM_F_DUMP, and calls `callback` for each message
 * of the answer. Returns 0 or negative errno.
 */
int netlink_dump_request(struct netlink *netlink, struct netlink_message *request,
			 netlink_fn callback, void *data);

/*
 * Sends a dump request of `type` (RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE) for all address
 * families. Returns the same as netlink_dump_request().
 */
int netlink_dump(struct netlink *netlink, uint16_t type, netlink_fn callback, void *data);

/*
 * Returns the message after `previous` in the `size` bytes of messages at `start`, or the
 * first one if `previous` is NULL; NULL after the last one.
 */
const struct nlmsghdr *netlink_next(const void *start, size_t size,
				    const struct nlmsghdr *previous);

/*
 * Fills `ret` with the attributes of a message. They follow the payload header, which has
 * `size` bytes. `ret` has `max` + 1 entries, indexed by type. The entry of an absent attribute is
 * NULL. Types above `max` are left out.
 */
void netlink_attributes(const struct nlmsghdr *message, size_t size, const struct rtattr **ret,
			size_t max);
/* Fills `ret` in the same way with the attributes that are nested in `nest`. */
void netlink_nested(const struct rtattr *nest, const struct rtattr **ret, size_t max);

/* Returns the attribute's number; `fallback` if the attribute is NULL or too short. */
uint32_t netlink_u32(const struct rtattr *attribute, uint32_t fallback);

#endif
