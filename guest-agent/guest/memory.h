/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_MEMORY_H
#define GUEST_AGENT_GUEST_MEMORY_H

#include <systemd/sd-event.h>

/*
 * Locks the agent's memory, so that a cycle reads no code or data from a disk, whose
 * backend may be suspended.
 *
 * Only pages that were used are locked (MCL_ONFAULT). The agent's own code and Xen's
 * libraries are read completely; of libsystemd, which depends on much larger
 * libraries, the functions that a cycle calls are called once. Returns 0 or negative
 * errno, which can be ignored.
 */
int memory_lock(sd_event *event);

#endif
