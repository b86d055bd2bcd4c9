/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FUZZ_XEN_HOST_H
#define TESTS_FUZZ_XEN_HOST_H

/* The real xen/ folder on the double of Xen (tests/fakexen), for fuzzers. */

#include <stdbool.h>
#include <stdint.h>

#include "model/config.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/sleeper.h"
#include "host/roots.h"
#include "engine/context.h"

struct xen_host {
	struct roots roots;
	struct config config;
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct coordinator coordinator;
	struct sleeper sleeper; /* the host sleeps for an hour */
	unsigned int n_slept;
	unsigned int n_ran_through; /* guests whose vCPUs ran during the last sleep */
};

/* Aborts, with a message, if a law does not hold. */
void xen_host_require(bool holds, const char *law);

/* An empty host, with an empty directory. */
void xen_host_start(struct xen_host *host);
/* A process of pmcoord begins, or ends. */
void xen_host_open(struct xen_host *host);
void xen_host_close(struct xen_host *host);
void xen_host_stop(struct xen_host *host);

/* Release: inventory_done. */
struct inventory xen_host_inventory(struct xen_host *host);

#endif
