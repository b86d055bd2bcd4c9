/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_XEN_FAKE_HOST_H
#define TESTS_UNIT_XEN_FAKE_HOST_H

/* The real xen/ folder on the double of Xen, in a directory of its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pmcoord/error.h"
#include "model/config.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "host/loop-event.h"
#include "host/roots.h"
#include "xen/hypervisor-xen.h"
#include "engine/context.h"
#include "tests/fakexen/dom0.h"
#include "tests/fakexen/guests.h"
#include "tests/unit/tree.h"

struct fake_host {
	char directory[64];
	struct roots roots;
	struct config config;
	/* Set by fake_host_open; NULL while no process of pmcoord runs. */
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct coordinator coordinator;
};

/* A host without guests, on which no process of pmcoord runs yet. */
static inline void fake_host_start(struct fake_host *host)
{
	*host = (struct fake_host){ 0 };
	snprintf(host->directory, sizeof(host->directory), "%s/pmcoord-xen-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(host->directory));
	assert_int_equal(roots_init_simulation(host->directory, &host->roots), 0);
	config_init(&host->config);
	dom0_start();
}

/* A process of pmcoord starts. `kept_fd`: see hypervisor_xen_open. */
static inline void fake_host_open_with(struct fake_host *host, int kept_fd)
{
	struct error error = { 0 };

	if (hypervisor_xen_open(host->roots.run, kept_fd, &host->hypervisor, &error) < 0 ||
	    loop_new(host->hypervisor, &host->loop, &error) < 0)
		fail_msg("%s", error_text(&error));
	host->coordinator = (struct coordinator){
		.config = &host->config,
		.roots = &host->roots,
		.hypervisor = host->hypervisor,
		.loop = host->loop,
	};
}

static inline void fake_host_open(struct fake_host *host)
{
	fake_host_open_with(host, -1);
}

static inline void fake_host_close(struct fake_host *host)
{
	loop_free(host->loop);
	hypervisor_close(host->hypervisor);
	host->hypervisor = NULL;
	host->loop = NULL;
}

/* The process is killed. What it would have done in its end has no effect. */
static inline void fake_host_kill(struct fake_host *host)
{
	dom0_kill_process();
	fake_host_close(host);
}

static inline void fake_host_stop(struct fake_host *host)
{
	fake_host_close(host);
	dom0_stop();
	roots_done(&host->roots);
	config_done(&host->config);
	assert_int_equal(tree_remove_all(host->directory), 0);
}

/* Release: inventory_done. */
static inline struct inventory fake_host_inventory(struct fake_host *host)
{
	struct inventory inventory = { 0 };
	struct error error = { 0 };

	if (host->hypervisor->ops->inventory(host->hypervisor, &inventory, &error) < 0)
		fail_msg("%s", error_text(&error));
	return inventory;
}

/* A guest with this name that is like any other, and its identity. */
static inline struct fake_guest *fake_host_add(const char *name)
{
	struct fake_guest_params params = { .name = name };

	return fake_guest_build(&params);
}

static inline struct domain_id fake_host_id(const struct fake_guest *guest)
{
	return domain_id_make(fake_guest_domid(guest), fake_guest_domain(guest)->uuid);
}

#endif
