/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_XEN_FAKE_HOST_H
#define TESTS_UNIT_XEN_FAKE_HOST_H

/* The real xen/ folder on the double of Xen, in a directory of its own. */

#include <errno.h>
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
#include "model/sleeper.h"
#include "host/loop-event.h"
#include "host/roots.h"
#include "xen/hypervisor-xen.h"
#include "record/report.h"
#include "engine/context.h"
#include "engine/suspend.h"
#include "tests/fakexen/agents.h"
#include "tests/fakexen/domains.h"
#include "tests/fakexen/fakexen.h"
#include "tests/fakexen/guests.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/store.h"
#include "tests/fakexen/virtual-time.h"
#include "tests/unit/tree.h"

struct fake_host {
	char directory[64];
	struct roots roots;
	struct config config;
	/* Set by fake_host_open; NULL while no process of pmcoord runs. */
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct coordinator coordinator;
	/* How the host sleeps. */
	struct sleeper sleeper;
	uint64_t sleep_us;
	const char *refusal; /* why the kernel refuses to sleep; NULL: it sleeps */
	unsigned int n_slept;
	unsigned int n_ran_through; /* guests whose vCPUs ran when the host last slept */
	uint64_t slept_at_us; /* when it last fell asleep */
};

/* ---- the host's sleep ---------------------------------------------------- */

static inline void fake_sleeper_free(struct sleeper *sleeper)
{
	(void)sleeper;
}

static inline int fake_sleeper_prepare(struct sleeper *sleeper, struct error *error)
{
	(void)sleeper;
	(void)error;
	return 0;
}

static inline int fake_sleeper_enter(struct sleeper *sleeper, struct loop *loop,
				     uint64_t *ret_slept_us, struct error *error)
{
	struct fake_host *host =
		(struct fake_host *)((char *)sleeper - offsetof(struct fake_host, sleeper));

	(void)loop;
	if (host->refusal)
		return error_set(error, -EBUSY, "%s", host->refusal);
	host->n_slept++;
	host->n_ran_through = 0;
	for (struct fake_domain *domain = domains_next(0); domain;
	     domain = domains_next(domain->domid))
		host->n_ran_through += domains_is_running(domain);
	host->slept_at_us = virtual_time_now();
	virtual_time_sleep(host->sleep_us);
	*ret_slept_us = host->sleep_us;
	snprintf(sleeper->state, sizeof(sleeper->state), "%s", SLEEP_STATE_S3);
	return 0;
}

static inline void fake_sleeper_finish(struct sleeper *sleeper)
{
	(void)sleeper;
}

static const struct sleeper_ops fake_sleeper_ops = {
	.free = fake_sleeper_free,
	.prepare = fake_sleeper_prepare,
	.enter = fake_sleeper_enter,
	.finish = fake_sleeper_finish,
};

/* ---- the host and the process of pmcoord --------------------------------- */

/* A host without guests, on which no process of pmcoord runs yet. */
static inline void fake_host_start(struct fake_host *host)
{
	*host = (struct fake_host){ .sleeper.ops = &fake_sleeper_ops, .sleep_us = 28800000000ull };
	snprintf(host->directory, sizeof(host->directory), "%s/pmcoord-xen-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(host->directory));
	assert_int_equal(roots_init_simulation(host->directory, &host->roots), 0);
	config_init(&host->config);
	fakexen_start();
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
	process_disconnect();
	fake_host_close(host);
}

static inline void fake_host_stop(struct fake_host *host)
{
	fake_host_close(host);
	fakexen_stop();
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

/* Runs a whole cycle. Release: report_free. */
static inline struct report *fake_host_cycle(struct fake_host *host)
{
	struct cycle_params params = { .trigger = "test", .sleeper = &host->sleeper };
	struct report *report = NULL;
	struct error error = { 0 };

	if (coordinator_suspend(&host->coordinator, &params, &report, &error) < 0)
		fail_msg("%s", error_text(&error));
	return report;
}

static inline const struct report_guest *fake_host_reported(const struct report *report,
							    const char *name)
{
	const struct report_guest *guest = report_find_guest(report, name);

	if (!guest)
		fail_msg("no guest %s in the report", name);
	return guest;
}

/* ---- a laptop ------------------------------------------------------------ */

/* netvm, a driver domain with an agent ← fw ← web, mail; vault. */
struct fake_laptop {
	struct fake_guest *netvm, *fw, *web, *mail, *vault;
	struct fake_agent *agent;
};

/* `mail` is how mail is built; NULL: like the others. */
static inline void fake_laptop_build(struct fake_laptop *laptop,
				     const struct fake_guest_params *mail)
{
	struct fake_guest_params pvh = { .name = "vault", .kind = DOMAIN_PVH };

	laptop->netvm = fake_host_add("netvm");
	laptop->fw = fake_host_add("fw");
	laptop->web = fake_host_add("web");
	laptop->mail = mail ? fake_guest_build(mail) : fake_host_add("mail");
	laptop->vault = fake_guest_build(&pvh);
	fake_guest_add_pci(laptop->netvm, "0000:03:00.0");
	fake_guest_add_device(laptop->fw, fake_guest_domid(laptop->netvm), "vif", 0);
	fake_guest_add_device(laptop->web, fake_guest_domid(laptop->fw), "vif", 0);
	fake_guest_add_device(laptop->mail, fake_guest_domid(laptop->fw), "vif", 0);
	laptop->agent = fake_agent_start(laptop->netvm, AGENT_WORKS);
}

/* Asserts the order of the last suspension and resume of two guests (law 1). */
static inline void assert_ordered(const struct fake_guest *dependent,
				  const struct fake_guest *needed)
{
	const struct fake_domain *first = fake_guest_domain(dependent);
	const struct fake_domain *last = fake_guest_domain(needed);

	assert_true(first->suspended_us < last->suspended_us);
	assert_true(last->resumed_us < first->resumed_us);
}

/*
 * Asserts that the guest runs, that each of its suspensions was ended as cancelled, and that no
 * pause and no request of ours remains in it.
 */
static inline void assert_runs(const struct fake_guest *guest)
{
	const struct fake_domain *domain = fake_guest_domain(guest);
	const char *request = store_text(fake_guest_path(guest, "control/shutdown"));

	assert_non_null(domain);
	assert_true(domains_is_running(domain));
	assert_int_equal(domain->pauses, 0);
	assert_int_equal(domain->n_suspended, domain->n_resumed);
	assert_int_equal(domain->n_not_cancelled, 0);
	assert_int_equal(domain->n_corrupted, 0);
	assert_true(!request || strcmp(request, "suspend") != 0);
}

/* The same, and that no subscription remains. */
static inline void assert_untouched(const struct fake_guest *guest)
{
	assert_runs(guest);
	assert_int_equal(fake_guest_domain(guest)->subscription, 0);
}

#endif
