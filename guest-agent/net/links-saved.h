/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_SAVED_H
#define GUEST_AGENT_NET_LINKS_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/netlink.h>
#include <stdint.h>

#include "guest/files.h"

/* The file that links-save.c writes and links-restore.c reads. Private to the links-*.c modules. */

/*
 * The maximum number of interfaces that are saved for one PCI function, including the VLAN
 * and macvlan interfaces on top of them. If there are more, links_save() fails with
 * -E2BIG. Then the PCI function is not unbound, and the guest is not suspended.
 */
#define LINKS_MAX 64

/* Marks a saved file: "pmlk". */
#define LINKS_MAGIC 0x706d6c6bu

/* The value of IFLA_PERM_ADDRESS, which headers before Linux 5.6 do not define. */
#define ATTRIBUTE_PERM_ADDRESS 54

/*
 * The header of the saved file. rtnetlink messages follow it: the PCI function's own links,
 * VLAN and macvlan links on top of them, VLANs of bridge ports, addresses, routes.
 */
struct links_header {
	uint32_t magic;
	uint32_t n_base; /* the number of the PCI function's own links */
	uint64_t boottime_us; /* CLOCK_BOOTTIME when the file was saved */
};

/* rtnetlink messages, one after the other. Release with free(data). */
struct message_buffer {
	char *data;
	size_t used;
	size_t size;
};

/* The interfaces of a saved file. */
struct link_set {
	uint32_t old[LINKS_MAX]; /* the index before the unbind */
	/*
	 * Whether a network manager configures this interface after the bind. If so, the agent
	 * must not configure it, because a network manager ignores an interface that is
	 * configured already.
	 */
	bool managed[LINKS_MAX];
	uint32_t new[LINKS_MAX]; /* the index after the bind; 0 if there is none (yet) */
	size_t n;
};

/*
 * A kind of link on top of a lower link. The kernel removes an upper link together with its
 * lower link.
 */
struct upper_kind {
	const char *name;
	uint16_t last; /* the highest IFLA_VLAN_* or IFLA_MACVLAN_* attribute that is restored */
};

/* The following functions return 0 or negative errno, unless stated otherwise. */

/* Appends `length` bytes, padded to the alignment of rtnetlink messages. */
int message_buffer_append(struct message_buffer *buffer, const void *data, size_t length);

/* Implements netlink_fn: appends the message to the struct message_buffer `data`. */
int message_buffer_add(void *data, const struct nlmsghdr *message);

/* Finds the interface whose index was `old`. Returns its position in the set, or -1. */
int link_set_find(const struct link_set *set, uint32_t old);

/* Adds an interface by its index. Returns 0, or -E2BIG if the set is full. */
int link_set_add(struct link_set *set, uint32_t old);

/* Implements class_fn: adds the interface `name` to the struct link_set `data`. */
int link_set_add_name(void *data, const char *name);

/*
 * Returns the permanent MAC address of a link, or the current one if the driver reports no
 * permanent one; NULL if the link has no MAC address.
 */
const struct rtattr *link_hardware_address(const struct rtattr *const *attributes);

/*
 * Returns the next hop after `previous` in a multipath route, or the first one if
 * `previous` is NULL; NULL after the last one.
 */
struct rtnexthop *link_next_hop(const struct rtattr *multipath, const struct rtnexthop *previous);

/* Returns the kind of an upper link; NULL for other links. */
const struct upper_kind *link_find_upper_kind(const struct rtattr *const *attributes);

/* Formats the path of the saved file, <run>/links-<address>, into `ret` (FILE_PATH_MAX bytes). */
int links_saved_path(const struct roots *roots, const char *address, char *ret);

#endif
