/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_SAVED_H
#define GUEST_AGENT_NET_LINKS_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/netlink.h>
#include <stdint.h>

#include "guest/files.h"

/* The file that links-save.c writes and links-restore.c reads; private to the two. */

/* The interfaces of one function and the upper interfaces on them. */
#define LINKS_MAX 64

#define LINKS_MAGIC 0x706d6c6bu /* "pmlk" */

/* IFLA_PERM_ADDRESS, since Linux 5.6; older headers do not define it. */
#define ATTRIBUTE_PERM_ADDRESS 54

/*
 * The file's header. rtnetlink messages follow: links (lower before upper ones),
 * VLANs of bridge ports, addresses, routes.
 */
struct links_header {
	uint32_t magic;
	uint32_t n_base; /* this many links, the first ones, are the function's own */
	uint64_t boottime_us; /* CLOCK_BOOTTIME when it was saved */
};

/* rtnetlink messages, one after the other. Release with free(data). */
struct message_buffer {
	char *data;
	size_t used;
	size_t size;
};

/* Interfaces with their index before the unbind and after the bind. */
struct link_set {
	uint32_t old[LINKS_MAX];
	/*
	 * A network manager configures this interface after the bind, and would
	 * not manage one that is configured already.
	 */
	bool managed[LINKS_MAX];
	uint32_t new[LINKS_MAX]; /* 0: does not exist, or not yet */
	size_t n;
};

/*
 * A kind of link that the kernel removes together with its lower link. Of the
 * attributes that it reports for such a link, 1 to `last` can be set (IFLA_VLAN_*,
 * IFLA_MACVLAN_*); those above are read-only.
 */
struct upper_kind {
	const char *name;
	uint16_t last;
};

/* These return 0 or negative errno, unless stated otherwise. */

int message_buffer_append(struct message_buffer *buffer, const void *data, size_t length);

/* A netlink_fn: appends the message to the struct message_buffer `data`. */
int message_buffer_add(void *data, const struct nlmsghdr *message);

/* Returns the position in the set of the interface with this index, or -1. */
int link_set_find(const struct link_set *set, uint32_t old);

int link_set_add(struct link_set *set, uint32_t old);

/* A class_fn: adds the interface `name` to the struct link_set `data`. */
int link_set_add_name(void *data, const char *name);

/* The permanent MAC address, or the current one if the driver reports none. */
const struct rtattr *link_hardware_address(const struct rtattr *const *attributes);

/* The next hop after `previous` (NULL: the first) of a multipath route; NULL after the last. */
struct rtnexthop *link_next_hop(const struct rtattr *multipath, const struct rtnexthop *previous);

/* The kind of an upper link; NULL for other links. */
const struct upper_kind *link_find_upper_kind(const struct rtattr *const *attributes);

/* <run>/links-<address> */
int links_saved_path(const struct roots *roots, const char *address, char *ret);

#endif
