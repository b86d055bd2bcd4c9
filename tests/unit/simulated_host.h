/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_SIMULATED_HOST_H
#define TESTS_UNIT_SIMULATED_HOST_H

/* A simulated host in a directory of its own, for tests of whole cycles. */

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

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/sleep-manager.h"
#include "model/sleeper.h"
#include "host/roots.h"
#include "record/journal.h"
#include "record/report.h"
#include "sim/simulator.h"
#include "engine/context.h"
#include "engine/recover.h"
#include "tests/unit/tree.h"

struct host {
	char directory[64];
	char scenario[96];
	char state[96];
	struct roots roots;
	struct config config;
	struct hypervisor *hypervisor;
	struct loop *loop;
	struct sleeper *sleeper;
	struct coordinator coordinator;
	struct sleep_manager *sleep_manager;
	const char *stop_in; /* the phase in which a stop signal arrives */
};

/* netvm ← fw ← web, mail; vault. %s: further keys of mail. */
static const char laptop[] = "[Guest \"netvm\"]\nAgent=yes\nPCIFunctions=1\n"
			     "[Guest \"fw\"]\nNeeds=netvm\n"
			     "[Guest \"web\"]\nNeeds=fw\n"
			     "[Guest \"mail\"]\nNeeds=fw\n%s"
			     "[Guest \"vault\"]\nType=pvh\n";

static inline void host_open(struct host *host)
{
	struct error error = { 0 };

	if (simulator_open(host->scenario, host->state, &host->hypervisor, &host->loop,
			   &host->sleeper, &error) < 0)
		fail_msg("%s", error_text(&error));
	host->coordinator = (struct coordinator){
		.config = &host->config,
		.roots = &host->roots,
		.hypervisor = host->hypervisor,
		.loop = host->loop,
		.sleep_manager = host->sleep_manager,
	};
}

static inline void host_write(struct host *host, const char *scenario)
{
	FILE *file = fopen(host->scenario, "w");

	assert_non_null(file);
	fputs(scenario, file);
	fclose(file);
}

static inline void host_write_laptop(struct host *host, const char *mail)
{
	char scenario[1024];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(scenario, sizeof(scenario), laptop, mail);
#pragma GCC diagnostic pop
	host_write(host, scenario);
}

/*
 * Makes the directory of a host, without its scenario. It is in memory if possible,
 * as /run is, because sweeps run many cycles in it.
 */
static inline void host_prepare(struct host *host)
{
	*host = (struct host){ 0 };
	snprintf(host->directory, sizeof(host->directory), "%s/pmcoord-test-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(host->directory));
	snprintf(host->scenario, sizeof(host->scenario), "%s/scenario", host->directory);
	snprintf(host->state, sizeof(host->state), "%s/state", host->directory);
	assert_int_equal(roots_init_simulation(host->directory, &host->roots), 0);
	config_init(&host->config);
}

static inline void host_init_laptop(struct host *host, const char *mail)
{
	host_prepare(host);
	host_write_laptop(host, mail);
	host_open(host);
}

static inline void host_done(struct host *host)
{

	hypervisor_close(host->hypervisor);
	roots_done(&host->roots);
	config_done(&host->config);
	assert_int_equal(tree_remove_all(host->directory), 0);
}

static inline enum guest_state state_of(struct host *host, const char *name)
{
	struct inventory inventory = { 0 };
	struct error error = { 0 };
	struct domain_state look;
	struct domain_id id;

	assert_int_equal(host->hypervisor->ops->inventory(host->hypervisor, &inventory, &error), 0);
	assert_non_null(inventory_find_name(&inventory, name));
	id = domain_id_of(inventory_find_name(&inventory, name));
	inventory_done(&inventory);
	assert_int_equal(host->hypervisor->ops->get_state(host->hypervisor, &id, &look), 0);
	return look.state;
}

static inline void let_pass(struct host *host, uint64_t us)
{
	uint64_t until_us = loop_now(host->loop) + us;
	uint32_t domid;

	while (loop_now(host->loop) < until_us) {
		assert_int_equal(host->loop->ops->wait(host->loop, until_us), 0);
		while (host->hypervisor->ops->next_event(host->hypervisor, &domid) != 0)
			;
	}
}

/* Long enough for most guests that suspend late. */
static inline void let_time_pass(struct host *host)
{
	let_pass(host, 60000000);
}

static inline void assert_all_running(struct host *host)
{
	static const char *const names[] = { "netvm", "fw", "web", "mail", "vault" };

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_int_equal(state_of(host, names[i]), GUEST_RUNNING);
}

static inline size_t count_journals(struct host *host)
{
	uint64_t *numbers = NULL;
	int n = journal_list(host->roots.journals, &numbers);

	assert_true(n >= 0);
	free(numbers);
	return (size_t)n;
}

/*
 * Asserts that the journals of cycles that have ended hold no guest; some may suspend late. A
 * journal whose end could not be written says less.
 */
static inline void assert_nothing_held(struct host *host)
{
	uint64_t *numbers = NULL;
	int n = journal_list(host->roots.journals, &numbers);

	for (int i = 0; i < n; i++) {
		struct cycle cycle;

		assert_int_equal(journal_read(host->roots.journals, numbers[i], &cycle, NULL), 0);
		if (cycle.ended)
			assert_int_equal(cycle_count_holds(&cycle), 0);
		cycle_done(&cycle);
	}
	free(numbers);
}

/*
 * Asserts that nothing remains of a cycle: no journal, or only one of guests that may suspend
 * late, which is removed when they will not suspend any more.
 */
static inline void assert_no_journal(struct host *host)
{
	struct resume_result result;
	struct error error = { 0 };

	if (count_journals(host) == 0)
		return;
	assert_nothing_held(host);
	let_pass(host, CYCLE_LATE_LIMIT_US);
	if (coordinator_recover(&host->coordinator, &result, &error) < 0)
		fail_msg("%s", error_text(&error));
	report_free(result.report);
	assert_int_equal(count_journals(host), 0);
}

/* Without the one of 500 guests, which takes long and adds no case. */
static const char *const shipped_scenarios[] = {
	"circle",    "kinds",	    "laptop-hung-guest", "laptop-no-s3", "laptop",  "liar",
	"meanwhile", "misbehaving", "storage-domain",	 "stub-domains", "windows",
};

/* The tests run in the root of the source tree. */
static inline void host_init_shipped(struct host *host, const char *name)
{
	char path[96], text[4096];
	FILE *file;

	host_prepare(host);
	snprintf(path, sizeof(path), "hooks/scenarios/%s.sim", name);
	file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	host_write(host, text);
	host_open(host);
}

/* Reads the current guests; release: inventory_done. */
static inline struct inventory host_inventory(struct host *host)
{
	struct inventory inventory = { 0 };
	struct error error = { 0 };

	if (host->hypervisor->ops->inventory(host->hypervisor, &inventory, &error) < 0)
		fail_msg("%s", error_text(&error));
	return inventory;
}

/*
 * Asserts that the guests are in their former states. The scenario may destroy, save
 * or pause guests during the cycle; only pmcoord suspends them.
 */
static inline void assert_as_before(struct host *host, const struct inventory *before)
{
	for (size_t i = 0; i < before->n_guests; i++) {
		const struct guest *guest = &before->guests[i];
		struct domain_id id = domain_id_of(guest);
		struct domain_state now;

		assert_int_equal(host->hypervisor->ops->get_state(host->hypervisor, &id, &now), 0);
		if (now.state == GUEST_GONE || guest->shutdown_node[0])
			continue;
		if (guest->state == GUEST_RUNNING && now.paused)
			assert_int_equal(now.state, GUEST_PAUSED);
		else
			assert_int_equal(now.state, guest->state);
	}
}

#endif
