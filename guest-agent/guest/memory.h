/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_MEMORY_H
#define GUEST_AGENT_GUEST_MEMORY_H

#include <systemd/sd-event.h>

/*
 * Locks the agent's memory, so that a cycle reads no code or data from a disk, whose backend
 * may be suspended.
 *
 * Only pages that were used are locked (MCL_ONFAULT). So the code of the agent and of Xen's
 * libraries is read completely before. The code of libsystemd is not, because libsystemd
 * depends on much larger libraries. Instead, its functions that a cycle calls are called
 * once before, with `event`. Returns 0 or negative errno, which the caller can ignore.
 */
int memory_lock(sd_event *event);

#endif
