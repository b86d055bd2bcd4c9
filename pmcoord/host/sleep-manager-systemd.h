/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEP_MANAGER_SYSTEMD_H
#define PMCOORD_HOST_SLEEP_MANAGER_SYSTEMD_H

/* systemd as the manager of sleeps. */

#include "model/sleep-manager.h"

/*
 * Asks over the system bus, and waits in loops of loop-event.h alone. Returns 0
 * or -ENOMEM.
 */
int sleep_manager_systemd_new(struct sleep_manager **ret_manager);

/* The unit behind it: "systemd-hibernate.service"; "" for none. */
const char *sleep_kind_unit(enum sleep_kind kind);

#endif
