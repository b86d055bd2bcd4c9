/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_MEMORY_H
#define GUEST_AGENT_GUEST_MEMORY_H

#include <systemd/sd-event.h>

/*
 * Keeps in memory what a cycle needs: nothing that runs between the first
 * request and the last device may have to be read from a disk.
 *
 * Only pages that are used are locked (MCL_ONFAULT). The agent's own and Xen's
 * libraries are read in whole; of libsystemd, which is large and pulls in
 * larger ones, what a cycle calls is called once. Returns 0 or negative errno,
 * which can be ignored.
 */
int memory_lock(sd_event *event);

#endif
