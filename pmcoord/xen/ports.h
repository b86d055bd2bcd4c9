/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_PORTS_H
#define PMCOORD_XEN_PORTS_H

/*
 * The record of event channels, one line each in <run>/ports. A guest's port
 * becomes unbound when the process ends; the next process binds it again instead
 * of allocating another of the guest's ports.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/domain-id.h"

struct remembered_port {
	struct domain_id id;
	uint32_t guest_port;
	uint32_t local_port; /* while its descriptor is open; 0: none */
	bool is_published; /* by the guest; false: allocated by dom0 */
};

typedef void (*port_fn)(void *data, const struct remembered_port *port);

/* Calls `handle` for each line; ignores malformed lines and a missing file. */
void ports_load(const char *path, port_fn handle, void *data);

/* Replaces the file atomically. Returns 0 or a negative errno. */
int ports_save(const char *path, const struct remembered_port *ports, size_t n);

#endif
