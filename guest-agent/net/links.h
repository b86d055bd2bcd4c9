/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_H
#define GUEST_AGENT_NET_LINKS_H

#include <stddef.h>
#include <stdint.h>

#include "guest/files.h"
#include "net/netlink.h"

/*
 * Saves the configuration of a PCI function's network interfaces before its driver
 * is unbound, and restores it after the bind: the driver then creates new
 * interfaces, without their names, bridges, addresses and routes. The saved file
 * (<run>/links-<address>) contains the rtnetlink messages with which the kernel
 * describes the interfaces; they are sent back with the new interface indices.
 *
 * Restored: name, alias, MAC and MTU, queue length, group, master (bridge with the
 * port's flags and VLANs, bond), up or down, addresses with the rest of their
 * lifetime, routes, and VLAN and macvlan interfaces on top with all of these.
 * Not restored: routes and temporary addresses from router advertisements, routes
 * by nexthop objects, traffic control, ethtool settings, and interfaces that were
 * moved to other network namespaces. Of an interface that a network manager
 * configures, only the name is restored.
 *
 * An interface belongs to the function beneath whose sysfs directory it is, so the
 * network adapters on a USB controller are included.
 */

/*
 * Fills `ret_names` with the names of the interfaces ("enp0s0",
 * "enp0s0,enp0s0d1", "" if there are none), from sysfs and without taking the
 * kernel's rtnl lock. Returns their number, or negative errno.
 */
int links_list(const struct roots *roots, const char *address, char *ret_names, size_t size);

/*
 * Saves the configuration of the interfaces of `address`. Without interfaces no
 * file is written. Returns their number, or negative errno.
 */
int links_save(const struct roots *roots, const char *address);

/* Sets the function's interfaces down, as `ip link set … down`. Failures are ignored. */
void links_down(const struct roots *roots, const char *address);

/*
 * Waits until `deadline_us` (of clock_now_us()) for the saved interfaces to appear
 * and configures them. `monitor` is a socket in RTMGRP_LINK, opened before the
 * driver was bound. Returns 0, with `ret_text` listing what could not be restored;
 * -ENODEV with the missing interfaces in `ret_text`; or another negative errno.
 */
int links_restore(const struct roots *roots, const char *address, struct netlink *monitor,
		  uint64_t deadline_us, char *ret_text, size_t size);

/* Removes the saved file. */
void links_forget(const struct roots *roots, const char *address);

#endif
