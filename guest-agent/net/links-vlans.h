/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_VLANS_H
#define GUEST_AGENT_NET_LINKS_VLANS_H

#include <stdint.h>

#include "net/links-saved.h"
#include "net/netlink.h"

/*
 * The VLANs that a bridge forwards through a port (bridge(8) vlan), as RTM_NEWVLAN
 * messages of linux/if_bridge.h. Linux has these messages since 5.6.
 */

/*
 * Appends the VLANs of all ports to `buffer`. Returns 0, also where the kernel
 * does not support the messages, or negative errno.
 */
int links_vlans_dump(struct netlink *netlink, struct message_buffer *buffer);

/* The index of the interface that a message is about. */
uint32_t links_vlans_index(const struct nlmsghdr *message);

/*
 * Removes all VLANs from a port, including the one that a bridge adds to each new
 * port. Returns 0 or negative errno.
 */
int links_vlans_clear(struct netlink *netlink, uint32_t index);

/* Adds the VLANs of a saved message to a port. Returns 0 or negative errno. */
int links_vlans_add(struct netlink *netlink, uint32_t index, const struct nlmsghdr *saved);

#endif
