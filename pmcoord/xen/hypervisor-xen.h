/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_HYPERVISOR_XEN_H
#define PMCOORD_XEN_HYPERVISOR_XEN_H

/* The hypervisor's table of verbs (model/hypervisor.h) on Xen, from dom0. */

#include "pmcoord/error.h"
#include "model/hypervisor.h"

/*
 * Opens Xen from dom0. Event channels are recorded in `run_directory`, so that
 * the next process uses them again. `kept_fd` is the descriptor of event channels
 * that an earlier process stored with the service manager; ownership is taken.
 * Negative: none. Returns 0, or a negative errno with `error` set: -EPERM without
 * privilege, -ENODEV without Xen or in a guest, -ECONNREFUSED without xenstored,
 * -EPROTO if this is another Xen version than pmcoord was built for. Release:
 * ops->close.
 */
int hypervisor_xen_open(const char *run_directory, int kept_fd, struct hypervisor **ret_hypervisor,
			struct error *error);

/* The descriptor of the event channels, for the service manager; borrowed. */
int hypervisor_xen_channels_fd(struct hypervisor *hypervisor);

#endif
