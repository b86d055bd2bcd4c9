/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEP_MANAGER_SYSTEMD_H
#define PMCOORD_HOST_SLEEP_MANAGER_SYSTEMD_H

/* The sleep manager (model/sleep-manager.h) of a host that runs systemd. */

#include "model/sleep-manager.h"

/*
 * Makes a sleep manager that reads systemd's jobs over the system bus. await_end()
 * needs a loop of loop_new. Returns 0 or -ENOMEM. Release: sleep_manager_free.
 */
int sleep_manager_systemd_new(struct sleep_manager **ret_manager);

/*
 * Returns the unit that performs this kind of sleep, e.g. "systemd-hibernate.service",
 * or "" for SLEEP_KIND_NONE.
 */
const char *sleep_kind_unit(enum sleep_kind kind);

#endif
