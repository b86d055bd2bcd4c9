/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_PORTS_H
#define PMCOORD_XEN_PORTS_H

/*
 * The record of event channels, one line each in <run>/ports. A guest's port
 * falls back to "unbound, for dom0" when the process ends; the next process
 * binds it again instead of using up one more of the guest's ports.
 */

#include "model/hypervisor.h"

struct remembered_port {
	struct domain_id id;
	uint32_t guest_port;
	uint32_t local_port; /* while its descriptor is open; 0: none */
	bool is_published; /* by the guest, not made on its behalf */
};

typedef void (*take_port_fn)(void *data, const struct remembered_port *port);

/* Calls `take` for each line, and skips malformed ones and a missing file. */
void ports_load(const char *path, take_port_fn take, void *data);

/* Replaces the file atomically. Returns 0 or a negative errno. */
int ports_save(const char *path, const struct remembered_port *ports, size_t n);

#endif
