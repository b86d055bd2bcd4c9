/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_EXAMINE_H
#define PMCOORD_XEN_XEN_EXAMINE_H

/* What only `pmcoord check` reads of a guest, from xenstore and from Xen. */

#include "model/hypervisor.h"
#include "xen/xen-control.h"
#include "xen/xen-store.h"

/*
 * Reads more of a guest of the inventory; changes nothing. What is missing
 * stays 0. Returns 0.
 */
int xen_examine_guest(struct xen_control *control, struct xen_store *store,
		      const struct guest *guest, struct guest_examination *ret_examination);

#endif
