/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SLEEP_MANAGER_SYSTEMD_H
#define PMCOORD_SLEEP_MANAGER_SYSTEMD_H

/* systemd as the manager of sleeps. */

#include "host/sleep-manager.h"

/*
 * Asks over the system bus, and waits in loops of loop-event.h alone. Returns 0
 * or -ENOMEM.
 */
int sleep_manager_systemd_new(struct sleep_manager **ret_manager);

/* How long the host has slept since boot, in µs, as its clocks tell. */
uint64_t slept_since_boot_us(void);

/* The unit behind it: "systemd-hibernate.service"; "" for none. */
const char *sleep_kind_unit(enum sleep_kind kind);

#endif
