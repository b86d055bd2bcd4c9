/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_MANAGER_H
#define GUEST_AGENT_MANAGER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest-agent/files.h"

/*
 * NetworkManager's Sleep(): it leaves its networks in good order, and joins
 * them again when it is woken. systemd-networkd needs no such thing, it sets up
 * whatever interface comes.
 */

/* Does it run here? */
bool manager_is_there(const struct roots *roots);

/* Does it look after the interface? Then nobody else is to set it up. */
bool manager_has_link(const struct roots *roots, unsigned int ifindex);

struct manager_call;

/* r: 0, or negative (-ETIMEDOUT, …) with the bus's own words. */
typedef void (*manager_done_fn)(void *userdata, int r, const char *text);

/* `done` is called once, unless freed before. Returns 0 or negative errno. */
int manager_call_sleep(sd_event *event, bool asleep, uint64_t timeout_us,
		       manager_done_fn done, void *userdata,
		       struct manager_call **ret);

void manager_call_free(struct manager_call *call);

#endif
