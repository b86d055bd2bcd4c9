/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_HYPERVISOR_XEN_H
#define PMCOORD_XEN_HYPERVISOR_XEN_H

/* The verbs of a hypervisor on Xen, from dom0. */

#include "pmcoord/error.h"
#include "model/hypervisor.h"

/*
 * Opens Xen from dom0. `run_directory` remembers the event channels that were
 * made on guests' behalf, so that they are used again instead of leaked.
 * `kept_fd` is the descriptor of event channels that a former process has left
 * with the service manager (it is ours then), or negative.
 * Returns 0, or negative with `error` set: -EPERM without privilege, -ENODEV
 * where there is no Xen or this is not dom0, -ECONNREFUSED without xenstored,
 * -EPROTO when this is another Xen version than pmcoord was built for.
 */
int hypervisor_xen_open(const char *run_directory, int kept_fd, struct hypervisor **ret_hypervisor,
			struct error *error);

/* The descriptor that holds the event channels, to be kept; borrowed. */
int hypervisor_xen_channels_fd(struct hypervisor *hypervisor);

#endif
