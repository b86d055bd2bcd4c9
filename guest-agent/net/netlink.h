/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_NETLINK_H
#define GUEST_AGENT_NET_NETLINK_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The few rtnetlink exchanges that the agent needs. Calls block briefly. */

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
 * `groups` as RTMGRP_*. Returns 0 or negative errno; an answer that takes
 * longer than ten seconds fails with -EAGAIN.
 */
int netlink_open(struct netlink *ret, uint32_t groups);
void netlink_close(struct netlink *netlink);

/* Starts a message of `type` with a payload header of `size` bytes. */
void *netlink_begin(struct netlink_message *message, uint16_t type, uint16_t flags, size_t size);

/* Appends an attribute. Returns 0, or -EMSGSIZE if it does not fit. */
int netlink_put(struct netlink_message *message, uint16_t type, const void *data, size_t length);
int netlink_copy(struct netlink_message *message,
		 const struct rtattr *attribute); /* NULL: nothing */
int netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t value);

/* A nested attribute around what is put between start and end. */
struct rtattr *netlink_nest(struct netlink_message *message, uint16_t type);
void netlink_nest_end(struct netlink_message *message, struct rtattr *nest);

/* Sends and waits for the kernel's answer: 0 or its negative errno. */
int netlink_ask(struct netlink *netlink, struct netlink_message *message);

/* Called per message of a dump; returns 0, or negative to stop. */
typedef int (*netlink_fn)(void *data, const struct nlmsghdr *message);

/* Dumps what `request`, begun with NLM_F_DUMP, asks for. */
int netlink_dump_as(struct netlink *netlink, struct netlink_message *request, netlink_fn take,
		    void *data);

/* Dumps `type` (RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE), all families. */
int netlink_dump(struct netlink *netlink, uint16_t type, netlink_fn take, void *data);

/*
 * The message behind `previous` (NULL: the first) in `size` bytes of messages
 * at `start`; NULL behind the last.
 */
const struct nlmsghdr *netlink_walk(const void *start, size_t size,
				    const struct nlmsghdr *previous);

/*
 * Fills `ret` (of `max` + 1 entries) with the attributes behind a payload
 * header of `size` bytes; those above `max` are left out.
 */
void netlink_attributes(const struct nlmsghdr *message, size_t size, const struct rtattr **ret,
			size_t max);
void netlink_nested(const struct rtattr *nest, const struct rtattr **ret, size_t max);

/* The attribute's number; `otherwise` where it is absent or too short. */
uint32_t netlink_u32(const struct rtattr *attribute, uint32_t otherwise);

#endif
