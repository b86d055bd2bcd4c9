/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_PORTS_H
#define PMCOORD_XEN_PORTS_H

/*
 * Records event channels in the file <run>/ports, one line for each channel.
 * When the descriptor of the event channels is closed, Xen unbinds the guests'
 * ends but does not free them. The next process binds the recorded channels
 * again instead of allocating new ones.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/domain-id.h"

struct remembered_port {
	struct domain_id id;
	uint32_t guest_port;
	uint32_t local_port; /* port of dom0, bound until the descriptor is closed; 0: not bound */
	bool is_published; /* guest_port was allocated by the guest; false: by dom0 */
};

typedef void (*port_fn)(void *data, const struct remembered_port *port);

/* Calls `handle` for the port in each line; ignores malformed lines and a missing file. */
void ports_load(const char *path, port_fn handle, void *data);

/* Replaces the file atomically with one that has these ports. Returns 0 or a negative errno. */
int ports_save(const char *path, const struct remembered_port *ports, size_t n);

#endif
