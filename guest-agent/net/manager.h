/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_MANAGER_H
#define GUEST_AGENT_NET_MANAGER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"

/*
 * Notifies network managers over D-Bus of a suspend and of the resume, because no other
 * program in the guest notifies them of the host's sleep:
 *
 *   NetworkManager    disconnects before the suspend, by Sleep(true), and connects again
 *                     after the resume, by Sleep(false);
 *   systemd-networkd  has no call for a suspend, and configures each new interface without
 *                     a call. After the resume, RenewLink renews the DHCP leases of
 *                     interfaces that were not removed.
 */
enum manager {
	MANAGER_NETWORK_MANAGER,
	MANAGER_NETWORKD,
};

/* Returns the network manager's name, e.g. "systemd-networkd". */
const char *manager_name(enum manager manager);

/* Whether the network manager runs in this guest; for networkd, whether it manages a link. */
bool manager_is_running(const struct roots *roots, enum manager manager);

/* Whether a network manager configures this interface. If so, the agent must not configure it. */
bool manager_manages_link(const struct roots *roots, unsigned int ifindex);

struct manager_call;

/*
 * Called when a call has ended. r: 0, or negative errno with the D-Bus error message (or "")
 * in `text`. May free the call; `text` is valid until this function returns.
 */
typedef void (*manager_done_fn)(void *userdata, int r, const char *text);

/*
 * Notifies the network manager that the guest is about to be suspended (`suspend` is true),
 * or was resumed. Returns 0 if the call has started; 1 if there is nothing to send; or
 * negative errno. If 0 was returned, `done` is called once. Release `*ret` with
 * manager_call_free(); before `done`, this cancels the call.
 */
int manager_call_start(sd_event *event, const struct roots *roots, enum manager manager,
		       bool suspend, uint64_t timeout_us, manager_done_fn done, void *userdata,
		       struct manager_call **ret);

/* Cancels a call that has not ended, and frees it. NULL is a no-op. */
void manager_call_free(struct manager_call *call);

#endif
