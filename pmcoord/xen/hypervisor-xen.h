/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_HYPERVISOR_XEN_H
#define PMCOORD_XEN_HYPERVISOR_XEN_H

/* The verbs of model/hypervisor.h for Xen; they work only in dom0. */

#include "pmcoord/error.h"
#include "model/hypervisor.h"

/*
 * Opens Xen from dom0, without xenstored (see hypervisor_ops.connect). The event channels are
 * recorded in `run_directory`, so that the next process can use them again. `kept_fd` is the
 * descriptor of the event channels that an earlier process stored with the service manager, or
 * negative if there is none. The caller must not use `kept_fd` afterwards.
 * Returns 0, or a negative errno with `error` set: -EPERM or -EACCES without
 * privilege, -ENODEV without Xen or in a guest, -ENOENT without a device node of
 * Xen, -EPROTO if pmcoord was built for another version of Xen. Release: ops->close.
 */
int hypervisor_xen_open(const char *run_directory, int kept_fd, struct hypervisor **ret_hypervisor,
			struct error *error);

/*
 * Returns the descriptor of the event channels, borrowed. The service manager
 * can store this descriptor for the next process.
 */
int hypervisor_xen_channels_fd(struct hypervisor *hypervisor);

#endif
