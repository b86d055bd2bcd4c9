/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_SAVERS_H
#define PMCOORD_XEN_XEN_SAVERS_H

/* The processes of dom0 that save or migrate a domain. */

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether a libxl-save-helper saves this domain. xl and libvirt run this program from before
 * the domain is suspended until its image is complete. False also if /proc cannot be read.
 */
bool xen_savers_has(uint32_t domid);

#endif
