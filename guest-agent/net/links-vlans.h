/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_VLANS_H
#define GUEST_AGENT_NET_LINKS_VLANS_H

#include <stdint.h>

#include "net/links-saved.h"
#include "net/netlink.h"

/*
 * Saves and restores the VLANs that a bridge forwards through a port (`bridge vlan`), as
 * RTM_NEWVLAN messages (linux/if_bridge.h; since Linux 5.6).
 */

/*
 * Appends the VLANs of all bridge ports to `buffer`. Returns 0 or negative errno. If the
 * kernel does not support RTM_NEWVLAN, appends nothing and returns 0.
 */
int links_vlans_dump(struct netlink *netlink, struct message_buffer *buffer);

/* Returns the index of the interface that an RTM_NEWVLAN message is about. */
uint32_t links_vlans_index(const struct nlmsghdr *message);

/*
 * Removes all VLANs from the port `index`, including the VLAN that a bridge adds to each
 * new port. Returns 0 or negative errno.
 */
int links_vlans_clear(struct netlink *netlink, uint32_t index);

/* Adds the VLANs of a saved message to the port `index`. Returns 0 or negative errno. */
int links_vlans_add(struct netlink *netlink, uint32_t index, const struct nlmsghdr *saved);

#endif
