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
 * The PCI functions that have a driver, and what the agent would do to each:
 * read only, and so what --dry-run shows is what a cycle does.
 *
 * Devices=auto unbinds every real function but
 *   - bridges, virtio and Xen functions, and what a device model emulates
 *     beside the Xen platform device: they need nothing;
 *   - a GPU in use, any function that leads to a disk in use (usage.h), and
 *     any whose use is not understood: a disk of which something cannot be
 *     read, a storage function whose disks are not all visible (storage.h).
 *     They would need it, and keeping them is a risk.
 *
 * A rule that names a function without wildcards unbinds what is not
 * understood; no rule unbinds a disk in use.
 *
 * Sound and video devices are stopped before processes are frozen: some of
 * their drivers wait for open files, which a frozen owner never closes.
 */

struct pci_function {
	char address[16]; /* "0000:00:04.0" */
	char driver[64];
	char identity[12]; /* "8086:10d3" */
	uint32_t class; /* base class, subclass, interface */
	/* Never DEVICE_AUTO; DEVICE_UNBIND and DEVICE_MODULE are acted on. */
	enum device_action action;
	const struct device_rule *rule; /* or NULL */
	bool early; /* before the freeze */
	bool risk; /* kept, though it may not survive the sleep */
	char reason[192]; /* why it is kept, or "" */
};

struct inventory {
	struct pci_function *functions; /* by address */
	size_t n_functions;
};

/*
 * `claimed` as for usage_read. Without any PCI function nothing else is looked
 * at. Returns 0 or negative errno.
 */
int inventory_read(struct inventory *ret, const struct roots *roots,
		   const struct settings *settings, usage_claimed_fn claimed);

void inventory_done(struct inventory *inventory);

/* "network", "disk", "display", …: for people, by the function's class. */
const char *pci_class_name(uint32_t class);

#endif
