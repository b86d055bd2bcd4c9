/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_MEMORY_H
#define GUEST_AGENT_GUEST_MEMORY_H

#include <systemd/sd-event.h>

/*
 * Locks the agent's memory, so that a cycle reads no code or data from a disk, whose backend
 * may be suspended.
 *
 * Only pages that were used are locked (MCL_ONFAULT). So this function first reads the code
 * of the agent and of Xen's libraries completely. It does not read all code of libsystemd,
 * because libsystemd depends on much larger libraries. Instead, it calls once, with `event`,
 * the functions of libsystemd that a cycle calls. Returns 0 or negative errno, which the
 * caller can ignore.
 */
int memory_lock(sd_event *event);

#endif
