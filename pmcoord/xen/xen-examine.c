/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-examine.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "model/inventory.h"

/* Reads the guest's PCI addresses from dom0's own nodes, which libxl and pciback write. */
static void read_pci(struct xen_store *store, const struct guest *guest,
		     struct guest_examination *examination)
{
	for (unsigned int i = 0; i < guest->pci_functions && i < EXAMINED_PCI_MAX; i++) {
		_cleanup_(freep) char *address = NULL;
		char node[64];

		snprintf(node, sizeof(node), "backend/pci/%" PRIu32 "/0/dev-%u", guest->domid, i);
		address = xen_store_read_domain(store, 0, node);
		if (address)
			text_sanitize(address, strlen(address),
				      examination->pci[examination->n_pci++], PCI_ADDRESS_SIZE);
	}
}

/* Whether the guest's port is bound to dom0, or can be bound by dom0. */
static bool has_port(struct xen_control *control, uint32_t domid, uint32_t port)
{
	struct xen_port status;

	return xen_control_get_guest_port(control, domid, port, &status) == 0 &&
	       status.state != XEN_PORT_OTHER && status.remote_domid == 0;
}

int xen_examine_guest(struct xen_control *control, struct xen_store *store,
		      const struct guest *guest, struct guest_examination *ret_examination)
{
	struct guest_examination examination = { 0 };

	assert(control && store && guest && ret_examination);
	read_pci(store, guest, &examination);
	examination.memory_kib =
		xen_store_read_number(store, guest->domid, "memory/target", UINT64_MAX, 0);
	examination.memory_max_kib =
		xen_store_read_number(store, guest->domid, "memory/static-max", UINT64_MAX, 0);
	examination.agent_port_is_stale =
		guest->agent.port != 0 && !has_port(control, guest->domid, guest->agent.port);
	*ret_examination = examination;
	return 0;
}
