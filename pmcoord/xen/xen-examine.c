/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* More of one guest, for `pmcoord check`, from xenstore. */

#include "xen/xen-host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/* dom0's own record, as libxl and pciback keep it. */
static void read_pci(struct xen *xen, const struct guest *guest,
		     struct guest_examination *examination)
{
	for (unsigned int i = 0; i < guest->pci_functions && i < EXAMINED_PCI_MAX; i++) {
		_cleanup_(freep) char *address = NULL;
		char node[64];

		snprintf(node, sizeof(node), "backend/pci/%" PRIu32 "/0/dev-%u", guest->domid, i);
		address = store_read_domain(xen, 0, node);
		if (address)
			text_sanitize(address, strlen(address),
				      examination->pci[examination->n_pci++], PCI_ADDRESS_SIZE);
	}
}

int xen_examine_guest(struct xen *xen, const struct guest *guest, struct guest_examination *ret)
{
	struct guest_examination examination = { 0 };

	read_pci(xen, guest, &examination);
	examination.memory_kib =
		store_read_number(xen, guest->domid, "memory/target", UINT64_MAX, 0);
	examination.memory_max_kib =
		store_read_number(xen, guest->domid, "memory/static-max", UINT64_MAX, 0);
	examination.agent_port_is_stale =
		guest->agent.port != 0 && !xen_port_is_for_us(xen, guest->domid, guest->agent.port);
	*ret = examination;
	return 0;
}
