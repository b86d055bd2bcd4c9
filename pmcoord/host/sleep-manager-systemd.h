/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEP_MANAGER_SYSTEMD_H
#define PMCOORD_HOST_SLEEP_MANAGER_SYSTEMD_H

/* The sleep manager (model/sleep-manager.h) of a host that runs systemd. */

#include "model/sleep-manager.h"

/*
 * Reads systemd's jobs over the system bus; its waits need a loop of loop_new.
 * Returns 0 or -ENOMEM. Release: sleep_manager_free.
 */
int sleep_manager_systemd_new(struct sleep_manager **ret_manager);

/* The unit that performs it: "systemd-hibernate.service"; "" for none. */
const char *sleep_kind_unit(enum sleep_kind kind);

#endif
