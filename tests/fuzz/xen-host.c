/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/xen-host.h"

#include <ftw.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pmcoord/error.h"
#include "host/loop-event.h"
#include "xen/hypervisor-xen.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/fakexen.h"
#include "tests/fakexen/virtual-time.h"
#include "tests/fuzz/file.h"

#define SLEEP_US 3600000000ull

void xen_host_require(bool holds, const char *law)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", law);
	abort();
}

/* ---- the host's sleep ---------------------------------------------------- */

static void sleeper_free_nothing(struct sleeper *sleeper)
{
	(void)sleeper;
}

static int sleeper_prepare(struct sleeper *sleeper, struct error *error)
{
	(void)sleeper;
	(void)error;
	return 0;
}

static int sleeper_enter(struct sleeper *sleeper, struct loop *loop, uint64_t *ret_slept_us,
			 struct error *error)
{
	struct xen_host *host =
		(struct xen_host *)((char *)sleeper - offsetof(struct xen_host, sleeper));

	(void)loop;
	(void)error;
	host->n_slept++;
	host->n_ran_through = 0;
	for (struct fake_domain *domain = domains_next(0); domain;
	     domain = domains_next(domain->domid))
		host->n_ran_through += domains_is_running(domain);
	virtual_time_sleep(SLEEP_US);
	*ret_slept_us = SLEEP_US;
	snprintf(sleeper->state, sizeof(sleeper->state), "%s", SLEEP_STATE_S3);
	return 0;
}

static const struct sleeper_ops sleeper_ops = {
	.free = sleeper_free_nothing,
	.prepare = sleeper_prepare,
	.enter = sleeper_enter,
	.finish = sleeper_free_nothing,
};

/* ---- the directory ------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	return place->level > 0 ? remove(path) : 0;
}

void xen_host_start(struct xen_host *host)
{
	*host = (struct xen_host){ .sleeper.ops = &sleeper_ops };
	xen_host_require(roots_init_simulation(fuzz_directory(), &host->roots) == 0, "memory");
	config_init(&host->config);
	fakexen_start();
}

void xen_host_open(struct xen_host *host)
{
	struct error error = { 0 };

	if (hypervisor_xen_open(host->roots.run, -1, &host->hypervisor, &error) < 0 ||
	    loop_new(host->hypervisor, &host->loop, &error) < 0)
		xen_host_require(false, error_text(&error));
	host->coordinator = (struct coordinator){
		.config = &host->config,
		.roots = &host->roots,
		.hypervisor = host->hypervisor,
		.loop = host->loop,
	};
}

void xen_host_close(struct xen_host *host)
{
	loop_free(host->loop);
	hypervisor_close(host->hypervisor);
	host->hypervisor = NULL;
	host->loop = NULL;
}

void xen_host_stop(struct xen_host *host)
{
	xen_host_close(host);
	fakexen_stop();
	roots_done(&host->roots);
	config_done(&host->config);
	nftw(fuzz_directory(), remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

struct inventory xen_host_inventory(struct xen_host *host)
{
	struct inventory inventory = { 0 };
	struct error error = { 0 };

	xen_host_require(host->hypervisor->ops->inventory(host->hypervisor, &inventory, &error) ==
				 0,
			 "the inventory can be read");
	return inventory;
}
