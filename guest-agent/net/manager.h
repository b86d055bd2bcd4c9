/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_MANAGER_H
#define GUEST_AGENT_NET_MANAGER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"

/*
 * Those who look after the network, each asked over D-Bus for what it does at a
 * sleep of its own machine, of which nobody else tells it:
 *
 *   NetworkManager    leaves its networks in good order (Sleep), and joins them
 *                     again when it is woken;
 *   systemd-networkd  has no sleep, and sets up whatever interface comes; what
 *                     stayed has its leases renewed (RenewLink) after the wake.
 */
enum manager {
	MANAGER_NETWORK_MANAGER,
	MANAGER_NETWORKD,
};

const char *manager_name(enum manager manager);

/* Does it run here, and look after something? */
bool manager_is_there(const struct roots *roots, enum manager manager);

/* Does any of them look after the interface? Then nobody else sets it up. */
bool manager_has_link(const struct roots *roots, unsigned int ifindex);

struct manager_call;

/*
 * r: 0, or negative (-ETIMEDOUT, …) with the bus's own words, which are valid
 * until the function returns, also if it frees the call.
 */
typedef void (*manager_done_fn)(void *userdata, int r, const char *text);

/*
 * Tells it that the guest is about to sleep, or awake. `done` is called once,
 * unless freed before. Returns 1 if it has nothing to be told (no call), 0, or
 * negative errno.
 */
int manager_call_start(sd_event *event, const struct roots *roots, enum manager manager,
		       bool asleep, uint64_t timeout_us, manager_done_fn done, void *userdata,
		       struct manager_call **ret);

void manager_call_free(struct manager_call *call);

#endif
