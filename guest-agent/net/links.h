/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_H
#define GUEST_AGENT_NET_LINKS_H

#include <stddef.h>
#include <stdint.h>

#include "guest/files.h"
#include "net/netlink.h"

/*
 * Saves the configuration of a PCI function's network interfaces before its driver is
 * unbound, and restores the configuration after the driver is bound again. This is needed
 * because the driver creates new interfaces, without the names, bridges, addresses and
 * routes of the old ones. The saved file (<run>/links-<address>) contains the rtnetlink
 * messages with which the kernel describes the interfaces. Restoring sends these messages
 * back, with the new interface indices.
 *
 * Restored: name, alternative names, alias, MAC, MTU, queue length, group, master (a
 * bond, or a bridge with the port's flags and VLANs), the state up or down, addresses with
 * their remaining lifetime, and routes. VLAN and macvlan interfaces on top of an interface
 * are created again, with the same settings.
 * Not restored: routes and temporary addresses from router advertisements, routes
 * that use nexthop objects, traffic control, ethtool settings, and interfaces that
 * were moved to other network namespaces. If a network manager configures an
 * interface, only its names are restored.
 *
 * The interfaces of a PCI function are those beneath its sysfs directory, so they include
 * the network adapters on a USB controller.
 */

/*
 * Writes the names of the interfaces of the PCI function `address` to `ret_names`, e.g.
 * "enp0s0" or "enp0s0,enp0s0d1"; "" if there are none. Reads only sysfs, so it does not
 * take the kernel's rtnl lock. Returns the number of interfaces, or negative errno.
 */
int links_list(const struct roots *roots, const char *address, char *ret_names, size_t size);

/*
 * Saves the configuration of the interfaces of the PCI function `address`. Writes no file
 * if there are no interfaces. Returns the number of the PCI function's interfaces; -E2BIG if
 * there are more than LINKS_MAX (links-saved.h); or another negative errno.
 */
int links_save(const struct roots *roots, const char *address);

/* Sets the PCI function's interfaces down, as `ip link set … down` does. Ignores failures. */
void links_down(const struct roots *roots, const char *address);

/*
 * Waits until the saved interfaces have appeared, at most until `deadline_us` (of
 * clock_now_us()), and configures them. `monitor` is a socket of the multicast group
 * RTMGRP_LINK that was opened before the driver was bound. Returns 0, with `ret_text`
 * listing what could not be restored; -ENODEV with the missing interfaces in `ret_text`;
 * or another negative errno.
 */
int links_restore(const struct roots *roots, const char *address, struct netlink *monitor,
		  uint64_t deadline_us, char *ret_text, size_t size);

/* Removes the saved file of the PCI function, if it exists. */
void links_forget(const struct roots *roots, const char *address);

#endif
