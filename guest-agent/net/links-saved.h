/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_SAVED_H
#define GUEST_AGENT_NET_LINKS_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/files.h"
#include "net/netlink.h"

/* What links-save.c writes and links-restore.c reads: private to the two. */

/* Interfaces of one function with all that stands on them. */
#define LINKS_MAX 64

#define LINKS_MAGIC 0x706d6c6bu /* "pmlk" */

/* Since Linux 5.6; older headers lack it. */
#define ATTRIBUTE_PERM_ADDRESS 54

/* The file: this, then rtnetlink messages: links (lower first), VLANs of bridge
 * ports, addresses, routes. */
struct links_header {
	uint32_t magic;
	uint32_t n_base; /* the first so many links are the function's own */
	uint64_t boottime_us;
};

/* rtnetlink messages, one behind the other; free(data). */
struct message_buffer {
	char *data;
	size_t used;
	size_t size;
};

/* Interfaces by their number before and after. */
struct link_set {
	uint32_t old[LINKS_MAX];
	/* A network manager's: it sets it up itself, and would take what is
	 * there already for somebody else's. */
	bool managed[LINKS_MAX];
	uint32_t new[LINKS_MAX]; /* 0: not there (yet) */
	size_t n;
};

/*
 * The kinds of links that go with the one they stand on, and which of the
 * attributes that such a link tells of itself may be asked for: 1 to `last`
 * (IFLA_VLAN_*, IFLA_MACVLAN_*). What comes after are reports.
 */
struct upper_kind {
	const char *name;
	uint16_t last;
};

/* All return 0 or negative errno, or as they say. */

int message_buffer_append(struct message_buffer *buffer, const void *data, size_t length);

/* A netlink_fn: appends to the struct message_buffer that is `data`. */
int message_buffer_take(void *data, const struct nlmsghdr *message);

/* The index in the set, or -1. */
int link_set_find(const struct link_set *set, uint32_t old);

int link_set_add(struct link_set *set, uint32_t old);

/* A class_fn: adds the interface `name` to the struct link_set `data`. */
int link_set_add_name(void *data, const char *name);

/* What the hardware says it is called, whatever it was told to be called. */
const struct rtattr *link_hardware_address(const struct rtattr *const *attributes);

/* The next hop of a route by several, behind `previous` (NULL: the first). */
struct rtnexthop *link_next_hop(const struct rtattr *multipath, const struct rtnexthop *previous);

/* NULL for a link that stands by itself. */
const struct upper_kind *link_find_upper_kind(const struct rtattr *const *attributes);

/* <run>/links-<address> */
int links_saved_path(const struct roots *roots, const char *address, char *ret);

#endif
