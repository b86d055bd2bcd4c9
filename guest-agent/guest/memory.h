/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_MEMORY_H
#define GUEST_AGENT_GUEST_MEMORY_H

#include <systemd/sd-event.h>

/*
 * Locks the agent's memory. A cycle must not read code or data from a disk, because the disk's
 * backend may be suspended.
 *
 * Only pages that were used are locked (MCL_ONFAULT). So this function first reads all code of
 * the agent and of Xen's libraries. libsystemd and its dependencies are too large for that.
 * Instead, the functions that a cycle needs are called once, with `event`. Returns 0 or
 * negative errno, which the caller can ignore.
 */
int memory_lock(sd_event *event);

#endif
