/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_NETLINK_H
#define GUEST_AGENT_NET_NETLINK_H

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The rtnetlink(7) requests that the agent needs. Calls block until the kernel
 * answers, at most ten seconds.
 */

struct netlink {
	int fd;
	uint32_t sequence;
};

/* A message under construction. */
struct netlink_message {
	union {
		struct nlmsghdr header;
		char bytes[16384];
	};
};

/*
 * `groups` are RTMGRP_* flags. Returns 0 or negative errno. Later calls on the
 * socket fail with -EAGAIN if the kernel does not answer within ten seconds.
 */
int netlink_open(struct netlink *ret, uint32_t groups);
void netlink_close(struct netlink *netlink);

/* Starts a message of `type`. Returns its payload header: `size` bytes, zeroed. */
void *netlink_begin(struct netlink_message *message, uint16_t type, uint16_t flags, size_t size);

/* Appends an attribute. Returns 0, or -EMSGSIZE if it does not fit. */
int netlink_put(struct netlink_message *message, uint16_t type, const void *data, size_t length);
/* Appends a copy of `attribute`. No-op if it is NULL. */
int netlink_copy(struct netlink_message *message, const struct rtattr *attribute);
int netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t value);

/*
 * Starts a nested attribute, which contains all that is appended until
 * netlink_nest_end(). Returns NULL if it does not fit.
 */
struct rtattr *netlink_nest(struct netlink_message *message, uint16_t type);
void netlink_nest_end(struct netlink_message *message, struct rtattr *nest);

/* Sends the message and waits for the acknowledgement. Returns 0 or negative errno. */
int netlink_request(struct netlink *netlink, struct netlink_message *message);

/* Called for each message of a dump. Returns 0, or negative to stop. */
typedef int (*netlink_fn)(void *data, const struct nlmsghdr *message);

/* Sends `request`, which was started with NLM_F_DUMP, and passes on each answer. */
int netlink_dump_request(struct netlink *netlink, struct netlink_message *request,
			 netlink_fn callback, void *data);

/* Dumps `type` (RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE), all families. */
int netlink_dump(struct netlink *netlink, uint16_t type, netlink_fn callback, void *data);

/*
 * The message after `previous` (NULL: the first) in `size` bytes of messages at
 * `start`; NULL after the last.
 */
const struct nlmsghdr *netlink_next(const void *start, size_t size,
				    const struct nlmsghdr *previous);

/*
 * Fills `ret` (`max` + 1 entries) with the attributes that follow a payload header
 * of `size` bytes, or are nested in `nest`, by their type; NULL if absent. Types
 * above `max` are left out.
 */
void netlink_attributes(const struct nlmsghdr *message, size_t size, const struct rtattr **ret,
			size_t max);
void netlink_nested(const struct rtattr *nest, const struct rtattr **ret, size_t max);

/* The attribute's number; `fallback` if it is absent or too short. */
uint32_t netlink_u32(const struct rtattr *attribute, uint32_t fallback);

#endif
