/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_PORTS_H
#define PMCOORD_XEN_PORTS_H

/*
 * The record of event channels, for the next process: the file <run>/ports has
 * a line for each channel. When a process ends and its descriptor is closed,
 * Xen unbinds the guests' ports but does not free them; the next process binds
 * the recorded ports again instead of allocating new ones.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/domain-id.h"

struct remembered_port {
	struct domain_id id;
	uint32_t guest_port;
	uint32_t local_port; /* port of dom0, bound until the descriptor is closed; 0: not bound */
	bool is_published; /* the guest has allocated guest_port; false: dom0 has */
};

typedef void (*port_fn)(void *data, const struct remembered_port *port);

/* Calls `handle` for the port in each line; ignores malformed lines and a missing file. */
void ports_load(const char *path, port_fn handle, void *data);

/* Replaces the file atomically with one that has these ports. Returns 0 or a negative errno. */
int ports_save(const char *path, const struct remembered_port *ports, size_t n);

#endif
