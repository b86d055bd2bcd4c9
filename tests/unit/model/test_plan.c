/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/protocol.h"
#include "model/config.h"
#include "model/graph.h"
#include "model/inventory.h"
#include "model/plan.h"

#define N_MAX 40

/* A host of guests numbered from 1, and the plan for it. */
struct host {
	struct inventory inventory;
	struct config config;
	struct plan plan;
};

static void add_guest(struct host *host, uint32_t domid, enum guest_state now)
{
	struct guest guest = {
		.domid = domid,
		/* Not in the order of domids, nor in its reverse. */
		.uuid = { (uint8_t)(domid * 37), (uint8_t)domid },
		.type = GUEST_PVH,
		.state = now,
	};

	snprintf(guest.name, sizeof(guest.name), "g%u", domid);
	assert_int_equal(inventory_add_guest(&host->inventory, &guest), 0);
}

static void add_link(struct host *host, uint32_t frontend, uint32_t backend)
{
	struct link link = {
		.frontend = frontend,
		.backend = backend,
		.class = LINK_NETWORK,
		.recorded_by_toolstack = true,
	};

	assert_int_equal(inventory_add_link(&host->inventory, &link), 0);
}

static void make_plan(struct host *host)
{
	assert_int_equal(inventory_finish(&host->inventory), 0);
	assert_int_equal(plan_make(&host->inventory, &host->config, NULL, false, &host->plan), 0);
	assert_int_equal(host->inventory.n_guests, 0);
}

static void host_init(struct host *host)
{
	*host = (struct host){ 0 };
	config_init(&host->config);
}

static void host_done(struct host *host)
{
	plan_done(&host->plan);
	inventory_done(&host->inventory);
	config_done(&host->config);
}

static size_t node_of(const struct host *host, uint32_t domid)
{
	const struct inventory *inventory = &host->plan.inventory;

	return (size_t)(inventory_find_domid(inventory, domid) - inventory->guests);
}

static const struct step *step_of(const struct host *host, size_t node)
{
	return &host->plan.steps[host->plan.step_of_guest[node]];
}

static bool acts(const struct host *host, size_t node)
{
	return step_of(host, node)->mechanism != MECHANISM_NONE;
}

/* ---- mechanisms --------------------------------------------------------- */

#define AGENT(version_, port_)                                                                     \
	.agent = { .present = true,                                                                \
		   .version = (version_),                                                          \
		   .port = (port_),                                                                \
		   .state.state = PROTOCOL_AGENT_READY }
#define STOPPED_AGENT                                                                              \
	.agent = { .present = true, .version = 1, .port = 5, .state.state = PROTOCOL_AGENT_NONE }

static void chooses_the_best_available_mechanism(void **state)
{
	static const struct {
		struct guest guest;
		enum guest_policy policy;
		enum mechanism mechanism;
		const char *reason;
	} cases[] = {
		{ { .type = GUEST_PVH, AGENT(1, 5), .kernel_port = 6 },
		  POLICY_SUSPEND,
		  MECHANISM_AGENT,
		  NULL },
		{ { .type = GUEST_PVH, AGENT(1, 0), .kernel_port = 6 },
		  POLICY_SUSPEND,
		  MECHANISM_EVENT_CHANNEL,
		  "its agent has published no event channel" },
		{ { .type = GUEST_PVH, AGENT(2, 5) },
		  POLICY_SUSPEND,
		  MECHANISM_XENSTORE,
		  "its agent speaks an unknown protocol version" },
		{ { .type = GUEST_PVH, STOPPED_AGENT }, POLICY_SUSPEND, MECHANISM_XENSTORE, NULL },
		/* Without its agent, devices may not work after the sleep. */
		{ { .type = GUEST_PV, .role = GUEST_ROLE_DRIVER_DOMAIN, STOPPED_AGENT },
		  POLICY_SUSPEND,
		  MECHANISM_AGENT,
		  NULL },
		{ { .type = GUEST_PV, .kernel_port = 6 },
		  POLICY_SUSPEND,
		  MECHANISM_EVENT_CHANNEL,
		  NULL },
		{ { .type = GUEST_PV, .feature_suspend = GUEST_FEATURE_YES },
		  POLICY_SUSPEND,
		  MECHANISM_XENSTORE,
		  NULL },
		{ { .type = GUEST_PV, .feature_suspend = GUEST_FEATURE_UNKNOWN },
		  POLICY_SUSPEND,
		  MECHANISM_XENSTORE,
		  NULL },
		{ { .type = GUEST_PV, .feature_suspend = GUEST_FEATURE_NO },
		  POLICY_SUSPEND,
		  MECHANISM_PAUSE,
		  "its kernel does not support suspend" },
		{ { .type = GUEST_HVM }, POLICY_SUSPEND, MECHANISM_HVM, NULL },
		{ { .type = GUEST_HVM, .has_pv_drivers = true },
		  POLICY_SUSPEND,
		  MECHANISM_XENSTORE,
		  NULL },
		{ { .type = GUEST_HVM, .has_pv_drivers = true, .in_acpi_s3 = true },
		  POLICY_SUSPEND,
		  MECHANISM_NONE,
		  "in ACPI S3, which the guest has entered itself" },
		{ { .type = GUEST_PVH, AGENT(1, 5) },
		  POLICY_PAUSE,
		  MECHANISM_PAUSE,
		  "paused by policy" },
		{ { .type = GUEST_PVH, AGENT(1, 5) },
		  POLICY_IGNORE,
		  MECHANISM_NONE,
		  "ignored by policy" },
		{ { .state = GUEST_PAUSED }, POLICY_PAUSE, MECHANISM_NONE, "already paused" },
		{ { .state = GUEST_SUSPENDED },
		  POLICY_SUSPEND,
		  MECHANISM_NONE,
		  "already suspended" },
		{ { .state = GUEST_SHUT_DOWN },
		  POLICY_SUSPEND,
		  MECHANISM_NONE,
		  "already shut down" },
		{ { .state = GUEST_DYING }, POLICY_SUSPEND, MECHANISM_NONE, "already shut down" },
		{ { .shutdown_node = "poweroff", AGENT(1, 5) },
		  POLICY_SUSPEND,
		  MECHANISM_PAUSE,
		  "shutting down" },
		{ { .shutdown_node = "reboot" }, POLICY_PAUSE, MECHANISM_PAUSE, "shutting down" },
		{ { .shutdown_node = "reboot" },
		  POLICY_IGNORE,
		  MECHANISM_NONE,
		  "ignored by policy" },
		{ { .state = GUEST_PAUSED, .being_built = true },
		  POLICY_SUSPEND,
		  MECHANISM_PAUSE,
		  "being built" },
		{ { .state = GUEST_PAUSED, .being_built = true },
		  POLICY_IGNORE,
		  MECHANISM_NONE,
		  "ignored by policy" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		const char *reason = "untouched";

		assert_int_equal(plan_choose_mechanism(&cases[i].guest, cases[i].policy, &reason),
				 cases[i].mechanism);
		if (cases[i].reason)
			assert_string_equal(reason, cases[i].reason);
		else
			assert_null(reason);
	}
}

static void mechanisms_have_names(void **state)
{
	(void)state;
	for (int i = MECHANISM_NONE; i <= MECHANISM_PAUSE; i++) {
		enum mechanism mechanism = MECHANISM_NONE;

		assert_int_equal(mechanism_parse(mechanism_name((enum mechanism)i), &mechanism), 0);
		assert_int_equal(mechanism, i);
	}
	assert_int_equal(mechanism_parse("nothing", &(enum mechanism){ 0 }), -EINVAL);
}

/* ---- order -------------------------------------------------------------- */

static const char *after(const struct host *host, uint32_t domid, bool resuming, char *ret)
{
	bool found[N_MAX + 1] = { false };
	struct plan_walk walk;
	char *end = ret;

	assert_int_equal(plan_walk_init(&walk, &host->plan), 0);
	plan_find_before(&walk, node_of(host, domid), resuming);
	for (size_t i = 0; i < walk.n_found; i++)
		found[host->plan.inventory.guests[walk.found[i]].domid] = true;
	plan_walk_done(&walk);
	*ret = '\0';
	for (uint32_t i = 1; i <= N_MAX; i++)
		if (found[i])
			end += sprintf(end, "%s%u", end == ret ? "" : " ", i);
	return ret;
}

static void waits_through_skipped_guests(void **state)
{
	unsigned int depths[N_MAX];
	struct host host;
	char text[128];

	(void)state;
	host_init(&host);
	/* 4, 5 → 3 (paused) → 2 (paused) → 1; 5 → 1 too. */
	for (uint32_t domid = 1; domid <= 5; domid++)
		add_guest(&host, domid, domid == 2 || domid == 3 ? GUEST_PAUSED : GUEST_RUNNING);
	add_link(&host, 4, 3);
	add_link(&host, 5, 3);
	add_link(&host, 3, 2);
	add_link(&host, 2, 1);
	add_link(&host, 5, 1);
	make_plan(&host);
	assert_string_equal(after(&host, 1, false, text), "4 5");
	assert_string_equal(after(&host, 4, true, text), "1");
	assert_string_equal(after(&host, 5, true, text), "1");
	assert_string_equal(after(&host, 4, false, text), "");
	/* Steps that do nothing take no time. */
	assert_int_equal(step_of(&host, node_of(&host, 1))->depth, 1);
	assert_int_equal(plan_resume_depths(&host.plan, depths), 0);
	assert_int_equal(depths[node_of(&host, 4)], 1);
	assert_int_equal(depths[node_of(&host, 1)], 0);
	host_done(&host);
}

/* 4 needs 2 and 3, which are skipped, and both need 1. */
static void a_guest_is_waited_for_once_though_two_ways_lead_to_it(void **state)
{
	struct plan_walk walk;
	struct host host;

	(void)state;
	host_init(&host);
	add_guest(&host, 1, GUEST_RUNNING);
	add_guest(&host, 2, GUEST_PAUSED);
	add_guest(&host, 3, GUEST_PAUSED);
	add_guest(&host, 4, GUEST_RUNNING);
	add_link(&host, 4, 2);
	add_link(&host, 4, 3);
	add_link(&host, 2, 1);
	add_link(&host, 3, 1);
	make_plan(&host);
	assert_int_equal(plan_walk_init(&walk, &host.plan), 0);
	plan_find_before(&walk, node_of(&host, 1), false);
	assert_int_equal(walk.n_found, 1);
	assert_int_equal(walk.found[0], node_of(&host, 4));
	plan_find_before(&walk, node_of(&host, 4), true);
	assert_int_equal(walk.n_found, 1);
	assert_int_equal(walk.found[0], node_of(&host, 1));
	plan_walk_done(&walk);
	host_done(&host);
}

static void applies_the_configuration(void **state)
{
	struct config_rule rule = {
		.pattern = strdup("g2"),
		.has_timeout = true,
		.timeout_us = 123,
		.has_on_failure = true,
		.on_failure = ON_FAILURE_ABORT,
	};
	struct host host;

	(void)state;
	host_init(&host);
	host.config.rules = malloc(sizeof(rule));
	assert_non_null(host.config.rules);
	host.config.rules[0] = rule;
	host.config.n_rules = 1;
	add_guest(&host, 1, GUEST_RUNNING);
	add_guest(&host, 2, GUEST_RUNNING);
	make_plan(&host);
	assert_int_equal(step_of(&host, node_of(&host, 2))->timeout_us, 123);
	assert_int_equal(step_of(&host, node_of(&host, 2))->on_failure, ON_FAILURE_ABORT);
	assert_int_equal(step_of(&host, node_of(&host, 1))->timeout_us,
			 host.config.guest_timeout_us);
	host_done(&host);
}

static void a_selection_includes_guests_that_need_it(void **state)
{
	bool selected[4] = { false };
	const struct inventory *inventory;
	struct host host;

	(void)state;
	host_init(&host);
	/* 4 → 3 → 2; 1 alone */
	for (uint32_t domid = 1; domid <= 4; domid++)
		add_guest(&host, domid, GUEST_RUNNING);
	add_link(&host, 4, 3);
	add_link(&host, 3, 2);
	inventory = &host.inventory;
	assert_int_equal(inventory_finish(&host.inventory), 0);
	selected[inventory_find_domid(inventory, 3) - inventory->guests] = true;
	assert_int_equal(plan_make(&host.inventory, &host.config, selected, true, &host.plan), 0);
	assert_true(acts(&host, node_of(&host, 4)));
	assert_true(acts(&host, node_of(&host, 3)));
	assert_false(acts(&host, node_of(&host, 2)));
	assert_false(acts(&host, node_of(&host, 1)));
	assert_string_equal(step_of(&host, node_of(&host, 1))->reason, "not named");
	host_done(&host);
}

static void an_exact_selection_includes_no_other_guest(void **state)
{
	bool selected[2] = { false };
	struct host host;

	(void)state;
	host_init(&host);
	add_guest(&host, 1, GUEST_RUNNING);
	add_guest(&host, 2, GUEST_RUNNING);
	add_link(&host, 2, 1);
	assert_int_equal(inventory_finish(&host.inventory), 0);
	selected[inventory_find_domid(&host.inventory, 1) - host.inventory.guests] = true;
	assert_int_equal(plan_make(&host.inventory, &host.config, selected, false, &host.plan), 0);
	assert_true(acts(&host, node_of(&host, 1)));
	assert_false(acts(&host, node_of(&host, 2)));
	host_done(&host);
}

static void an_empty_host_has_an_empty_plan(void **state)
{
	struct host host;

	(void)state;
	host_init(&host);
	make_plan(&host);
	assert_int_equal(host.plan.n_steps, 0);
	host_done(&host);
}

/* ---- random hosts ------------------------------------------------------- */

struct random_host {
	uint32_t n;
	enum guest_state states[N_MAX];
	uint32_t links[4 * N_MAX][2];
	size_t n_links;
};

static uint32_t below(uint32_t n)
{
	return (uint32_t)random() % n;
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t value = *a;

	*a = *b;
	*b = value;
}

/* Without loops: links lead from later to earlier guests of a random order. */
static void random_host(struct random_host *random_host)
{
	uint32_t order[N_MAX];

	random_host->n = 2 + below(N_MAX - 1);
	random_host->n_links = below(3 * random_host->n);
	for (uint32_t i = 0; i < random_host->n; i++) {
		order[i] = i + 1;
		random_host->states[i] = below(5) ? GUEST_RUNNING : GUEST_PAUSED;
	}
	for (uint32_t i = random_host->n - 1; i > 0; i--)
		swap(&order[i], &order[below(i + 1)]);
	for (size_t i = 0; i < random_host->n_links; i++) {
		uint32_t later = 1 + below(random_host->n - 1);

		random_host->links[i][0] = order[later];
		random_host->links[i][1] = order[below(later)];
	}
}

static void host_from_random(struct host *host, const struct random_host *random_host,
			     bool shuffled)
{
	uint32_t guests[N_MAX], links[4 * N_MAX];

	host_init(host);
	for (uint32_t i = 0; i < random_host->n; i++)
		guests[i] = i;
	for (uint32_t i = 0; i < random_host->n_links; i++)
		links[i] = i;
	for (uint32_t i = random_host->n; shuffled && i > 1; i--)
		swap(&guests[i - 1], &guests[below(i)]);
	for (uint32_t i = (uint32_t)random_host->n_links; shuffled && i > 1; i--)
		swap(&links[i - 1], &links[below(i)]);
	for (uint32_t i = 0; i < random_host->n; i++)
		add_guest(host, guests[i] + 1, random_host->states[guests[i]]);
	for (size_t i = 0; i < random_host->n_links; i++)
		add_link(host, random_host->links[links[i]][0], random_host->links[links[i]][1]);
	make_plan(host);
}

/*
 * By brute force: whether `node` needs `other` directly or through guests that
 * are skipped.
 */
static bool must_outlive(const struct host *host, size_t node, size_t other)
{
	struct graph_nodes nodes = graph_needs(host->plan.graph, node);

	for (size_t i = 0; i < nodes.n_nodes; i++)
		if (nodes.nodes[i] == other ||
		    (!acts(host, nodes.nodes[i]) && must_outlive(host, nodes.nodes[i], other)))
			return true;
	return false;
}

static bool contains(const size_t *nodes, size_t n, size_t node)
{
	for (size_t i = 0; i < n; i++)
		if (nodes[i] == node)
			return true;
	return false;
}

static void check_pair(struct plan_walk *walk, const unsigned int *depths, const struct host *host,
		       size_t node, size_t other)
{
	bool expected = must_outlive(host, node, other);

	plan_find_before(walk, other, false);
	assert_int_equal(contains(walk->found, walk->n_found, node), expected);
	plan_find_before(walk, node, true);
	assert_int_equal(contains(walk->found, walk->n_found, other), expected);
	if (!expected)
		return;
	/* Suspend: guests that need it come first. Resume: the reverse. */
	assert_true(host->plan.step_of_guest[node] < host->plan.step_of_guest[other]);
	assert_true(step_of(host, node)->depth < step_of(host, other)->depth);
	assert_true(depths[node] > depths[other]);
}

static void keeps_the_order_on_random_hosts(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 300; round++) {
		unsigned int depths[N_MAX];
		struct random_host random;
		struct plan_walk walk;
		struct host host;

		random_host(&random);
		host_from_random(&host, &random, false);
		assert_null(graph_warning(host.plan.graph, 0));
		assert_int_equal(plan_walk_init(&walk, &host.plan), 0);
		assert_int_equal(plan_resume_depths(&host.plan, depths), 0);
		for (size_t i = 0; i < random.n; i++)
			for (size_t j = 0; j < random.n; j++)
				if (i != j && acts(&host, i) && acts(&host, j))
					check_pair(&walk, depths, &host, i, j);
		plan_walk_done(&walk);
		host_done(&host);
	}
}

static void the_same_host_gives_the_same_plan(void **state)
{
	(void)state;
	srandom(2);
	for (int round = 0; round < 200; round++) {
		struct random_host random;
		struct host one, other;

		random_host(&random);
		host_from_random(&one, &random, false);
		host_from_random(&other, &random, true);
		assert_int_equal(one.plan.n_steps, other.plan.n_steps);
		for (size_t i = 0; i < one.plan.n_steps; i++) {
			const struct step *a = &one.plan.steps[i];
			const struct step *b = &other.plan.steps[i];

			assert_int_equal(one.plan.inventory.guests[a->guest].domid,
					 other.plan.inventory.guests[b->guest].domid);
			assert_int_equal(a->mechanism, b->mechanism);
			assert_int_equal(a->depth, b->depth);
		}
		host_done(&one);
		host_done(&other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_the_best_available_mechanism),
		cmocka_unit_test(mechanisms_have_names),
		cmocka_unit_test(waits_through_skipped_guests),
		cmocka_unit_test(a_guest_is_waited_for_once_though_two_ways_lead_to_it),
		cmocka_unit_test(applies_the_configuration),
		cmocka_unit_test(a_selection_includes_guests_that_need_it),
		cmocka_unit_test(an_exact_selection_includes_no_other_guest),
		cmocka_unit_test(an_empty_host_has_an_empty_plan),
		cmocka_unit_test(keeps_the_order_on_random_hosts),
		cmocka_unit_test(the_same_host_gives_the_same_plan),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
