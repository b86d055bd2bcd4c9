/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_VLANS_H
#define GUEST_AGENT_NET_LINKS_VLANS_H

#include "net/links-saved.h"

/*
 * The VLANs that a bridge lets through a port (bridge(8) vlan), as RTM_NEWVLAN
 * messages of linux/if_bridge.h; kernels since 5.6 have them.
 */

/*
 * Appends what the kernel has of all ports. Returns 0, also where the kernel
 * knows no such thing, or negative errno.
 */
int links_vlans_dump(struct netlink *netlink, struct message_buffer *buffer);

/* The interface that a message is about. */
uint32_t links_vlans_index(const struct nlmsghdr *message);

/* Makes a port forget all VLANs, such as the one that each has at first. */
int links_vlans_clear(struct netlink *netlink, uint32_t index);

/* Adds a saved message's VLANs to a port. */
int links_vlans_add(struct netlink *netlink, uint32_t index, const struct nlmsghdr *saved);

#endif
