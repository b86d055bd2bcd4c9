/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_EXAMINE_H
#define PMCOORD_XEN_XEN_EXAMINE_H

/* Facts about a guest that only `pmcoord check` reads, from xenstore and Xen. */

#include "model/hypervisor.h"
#include "model/inventory.h"
#include "xen/xen-control.h"
#include "xen/xen-store.h"

/* Reads the facts about one guest. A fact that cannot be read is 0. Always returns 0. */
int xen_examine_guest(struct xen_control *control, struct xen_store *store,
		      const struct guest *guest, struct guest_examination *ret_examination);

#endif
