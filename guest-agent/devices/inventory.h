/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_DEVICES_INVENTORY_H
#define GUEST_AGENT_DEVICES_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/files.h"
#include "guest/settings.h"
#include "devices/usage.h"

/*
 * Lists the PCI functions that have a driver, and decides what a cycle does with each.
 * Changes nothing, so --dry-run can show the decisions of a cycle.
 *
 * Devices=auto unbinds every function except
 *   - bridges, virtio and Xen functions, and functions that QEMU emulates in an HVM
 *     guest, because the sleep does not affect these;
 *   - a GPU in use, and a function that leads to a disk in use (usage.h);
 *   - a function whose use is not understood: information about a disk cannot be read, or
 *     not all disks of a storage function are visible (storage.h).
 *
 * The last two kinds are kept at a risk: the function may not work after the sleep.
 *
 * A rule that names a function without wildcards unbinds the function even if its use is
 * not understood. No rule unbinds a function with a disk in use.
 *
 * Sound and video devices are stopped before processes are frozen. Some of their drivers
 * wait until all processes have closed the device, and a frozen process cannot close it.
 */

struct pci_function {
	char address[16]; /* "0000:00:04.0" */
	char driver[64];
	char identity[12]; /* "8086:10d3" */
	uint32_t class; /* base class, subclass and interface: a byte each */
	/* Never DEVICE_AUTO. DEVICE_UNBIND, DEVICE_MODULE: the agent stops the PCI function. */
	enum device_action action;
	const struct device_rule *rule; /* the rule that matches, or NULL */
	bool early; /* stopped before processes are frozen */
	bool risk; /* kept, although it may not work after the sleep */
	char reason[192]; /* why the function is not stopped; "" if it is */
};

struct inventory {
	struct pci_function *functions; /* sorted by address */
	size_t n_functions;
};

/*
 * Fills `ret`. `claimed` is passed to usage_read(). Reads disks only if there is a PCI function
 * to stop. Returns 0 or negative errno; release `ret` with inventory_done().
 */
int inventory_read(struct inventory *ret, const struct roots *roots,
		   const struct settings *settings, usage_claimed_fn claimed);

void inventory_done(struct inventory *inventory);

/* Returns the name of a PCI function's class for messages: "network", "disk", "display", … */
const char *pci_class_name(uint32_t class);

#endif
