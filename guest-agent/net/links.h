/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_LINKS_H
#define GUEST_AGENT_NET_LINKS_H

#include <stddef.h>
#include <stdint.h>

#include "guest/files.h"
#include "net/netlink.h"

/*
 * The network interfaces of a PCI function, across its driver being unbound and
 * bound: the driver makes new interfaces, which know nothing of their names,
 * bridges, addresses and routes. What is saved is what the kernel itself says
 * of them (rtnetlink messages, in <run>/links-<address>), and restoring is
 * saying it back with the new interface numbers.
 *
 * Kept: name, alias, MAC and MTU, queue length, group, master (bridge with the
 * port's flags and VLANs, bond), up or down, addresses with what is left of
 * their lifetime, routes, VLANs and macvlans on top with the same of theirs.
 * Not kept: what router advertisements put there, routes by nexthop objects,
 * traffic control, ethtool settings, and interfaces moved to other network
 * namespaces.
 *
 * An interface belongs to the function whose sysfs directory it is beneath, so
 * network adapters on a USB controller are included.
 */

/*
 * Fills `ret_names` with the names of the interfaces ("enp0s0",
 * "enp0s0,enp0s0d1", "" if there are none), from sysfs and without a lock.
 * Returns their number, or negative errno.
 */
int links_list(const struct roots *roots, const char *address, char *ret_names, size_t size);

/*
 * Saves how the interfaces of `address` are set up; without any, no file is
 * left. Returns their number, or negative errno.
 */
int links_save(const struct roots *roots, const char *address);

/* Takes the function's interfaces down; failures are of no consequence. */
void links_down(const struct roots *roots, const char *address);

/*
 * Waits until `deadline_us` (clock_now_us) for the saved interfaces and sets
 * them up as they were. `monitor` is a socket in RTMGRP_LINK, opened before the
 * driver was bound. Returns 0, with a text if some detail could not be
 * restored; -ENODEV with a text if an interface has not come back.
 */
int links_restore(const struct roots *roots, const char *address, struct netlink *monitor,
		  uint64_t deadline_us, char *ret_text, size_t size);

/* Drops what was saved. */
void links_forget(const struct roots *roots, const char *address);

#endif
