/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_MANAGER_H
#define GUEST_AGENT_NET_MANAGER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"

/*
 * Network managers. Each is called over D-Bus for what it does when its own
 * machine sleeps, because no other program notifies it of the host's sleep:
 *
 *   NetworkManager    disconnects (Sleep(true)) before the suspend, and connects
 *                     again (Sleep(false)) after it;
 *   systemd-networkd  has no such call, and configures each new interface by
 *                     itself; RenewLink after the suspend renews the leases of
 *                     interfaces that stayed.
 */
enum manager {
	MANAGER_NETWORK_MANAGER,
	MANAGER_NETWORKD,
};

const char *manager_name(enum manager manager);

/* Does the manager run in this guest? For networkd: and does it manage a link? */
bool manager_is_running(const struct roots *roots, enum manager manager);

/* Does a network manager configure this interface? Then the agent does not. */
bool manager_manages_link(const struct roots *roots, unsigned int ifindex);

struct manager_call;

/*
 * r: 0, or negative errno with the bus's error message in `text` (or ""), which is
 * valid until the function returns, also if it frees the call.
 */
typedef void (*manager_done_fn)(void *userdata, int r, const char *text);

/*
 * Notifies the manager that the guest is about to be suspended (`suspend`), or was
 * resumed. `done` is called once, unless the call is freed before. Returns 0; 1 if
 * there is nothing to send, and then `done` is not called; or negative errno.
 */
int manager_call_start(sd_event *event, const struct roots *roots, enum manager manager,
		       bool suspend, uint64_t timeout_us, manager_done_fn done, void *userdata,
		       struct manager_call **ret);

/* NULL is a no-op. */
void manager_call_free(struct manager_call *call);

#endif
