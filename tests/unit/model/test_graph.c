/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pmcoord/cleanup.h"
#include "model/config.h"
#include "model/graph.h"
#include "model/inventory.h"
#include "model/plan.h"

/* A host with guests g1, g2, … in the order of their UUIDs. */
struct host {
	struct inventory inventory;
	struct config config;
	struct graph *graph;
};

static void host_init(struct host *host, size_t n_guests)
{
	*host = (struct host){ 0 };
	config_init(&host->config);
	for (uint32_t domid = 1; domid <= n_guests; domid++) {
		struct guest guest = {
			.domid = domid,
			.uuid = { (uint8_t)(domid >> 24), (uint8_t)(domid >> 16),
				  (uint8_t)(domid >> 8), (uint8_t)domid },
		};

		snprintf(guest.name, sizeof(guest.name), "g%u", domid);
		assert_int_equal(inventory_add_guest(&host->inventory, &guest), 0);
	}
}

static void needs(struct host *host, uint32_t frontend, uint32_t backend, enum link_class class)
{
	struct link link = {
		.frontend = frontend,
		.backend = backend,
		.class = class,
		.recorded_by_toolstack = true,
	};

	assert_int_equal(inventory_add_link(&host->inventory, &link), 0);
}

static void build(struct host *host)
{
	assert_int_equal(inventory_finish(&host->inventory), 0);
	assert_int_equal(graph_build(&host->inventory, &host->config, &host->graph), 0);
}

static void host_done(struct host *host)
{
	graph_free(host->graph);
	inventory_done(&host->inventory);
	config_done(&host->config);
}

/* The domids that guest `domid` needs (or serves), as "2 3". */
static const char *list(const struct host *host, uint32_t domid, bool serves, char *ret)
{
	size_t node =
		(size_t)(inventory_find_domid(&host->inventory, domid) - host->inventory.guests);
	struct graph_nodes nodes =
		serves ? graph_serves(host->graph, node) : graph_needs(host->graph, node);
	char *end = ret;

	*ret = '\0';
	for (size_t i = 0; i < nodes.n_nodes; i++)
		end += sprintf(end, "%s%u", i ? " " : "",
			       host->inventory.guests[nodes.nodes[i]].domid);
	return ret;
}

static void finds_needs_and_serves(void **state)
{
	struct host host;
	char text[64];

	(void)state;
	host_init(&host, 4);
	needs(&host, 3, 1, LINK_NETWORK);
	needs(&host, 3, 2, LINK_STORAGE);
	needs(&host, 3, 2, LINK_CONSOLE);
	needs(&host, 4, 2, LINK_STORAGE);
	build(&host);
	assert_int_equal(graph_size(host.graph), 4);
	assert_string_equal(list(&host, 3, false, text), "1 2");
	assert_string_equal(list(&host, 4, false, text), "2");
	assert_string_equal(list(&host, 1, false, text), "");
	assert_string_equal(list(&host, 2, true, text), "3 4");
	assert_string_equal(list(&host, 3, true, text), "");
	assert_null(graph_warning(host.graph, 0));
	host_done(&host);
}

static void ignores_links_to_dom0_unknown_domains_and_itself(void **state)
{
	struct host host;
	char text[64];

	(void)state;
	host_init(&host, 2);
	needs(&host, 1, 0, LINK_STORAGE);
	needs(&host, 0, 1, LINK_STORAGE);
	needs(&host, 1, 77, LINK_STORAGE);
	needs(&host, 1, 1, LINK_STORAGE);
	build(&host);
	assert_string_equal(list(&host, 1, false, text), "");
	assert_string_equal(list(&host, 1, true, text), "");
	assert_null(graph_warning(host.graph, 0));
	host_done(&host);
}

static void ignores_claims_of_one_guest(void **state)
{
	struct host host;
	char text[64];

	(void)state;
	host_init(&host, 3);
	needs(&host, 2, 1, LINK_NETWORK);
	/* Guest 3 claims to need 2 and to serve 1. */
	assert_int_equal(
		inventory_add_link(&host.inventory, &(struct link){ .frontend = 3,
								    .backend = 2,
								    .class = LINK_PCI,
								    .recorded_by_frontend = true }),
		0);
	assert_int_equal(
		inventory_add_link(&host.inventory, &(struct link){ .frontend = 1,
								    .backend = 3,
								    .class = LINK_PCI,
								    .recorded_by_backend = true }),
		0);
	build(&host);
	assert_string_equal(list(&host, 3, false, text), "");
	assert_string_equal(list(&host, 3, true, text), "");
	assert_string_equal(list(&host, 2, false, text), "1");
	assert_null(graph_warning(host.graph, 0));
	host_done(&host);
}

static void the_configuration_adds_edges(void **state)
{
	struct config_rule rule = {
		.pattern = strdup("g[12]"),
		.suspend_before = strdup("g3 nobody"),
	};
	struct host host;
	char text[64];

	(void)state;
	host_init(&host, 3);
	host.config.rules = malloc(sizeof(rule));
	assert_non_null(host.config.rules);
	host.config.rules[0] = rule;
	host.config.n_rules = 1;
	build(&host);
	assert_string_equal(list(&host, 3, true, text), "1 2");
	host_done(&host);
}

static void suspend_before_names_whole_guests_only(void **state)
{
	struct config_rule rule = {
		.pattern = strdup("g1?"),
		.suspend_before = strdup("g2 g11"),
	};
	struct host host;
	char text[64];

	(void)state;
	host_init(&host, 22);
	host.config.rules = malloc(sizeof(rule));
	host.config.rules[0] = rule;
	host.config.n_rules = 1;
	build(&host);
	for (uint32_t domid = 1; domid <= 22; domid++) {
		const char *expected = domid < 10 || domid > 19 ? "" : domid == 11 ? "2" : "2 11";

		assert_string_equal(list(&host, domid, false, text), expected);
	}
	host_done(&host);
}

static void breaks_a_loop_at_its_weakest_link_with_a_warning(void **state)
{
	static const struct {
		enum link_class classes[3]; /* 1 needs 2 needs 3 needs 1 */
		const char *warning;
	} cases[] = {
		{ { LINK_NETWORK, LINK_STORAGE, LINK_PCI },
		  "dependency loop: g1 needs g2 needs g3 needs g1; "
		  "ignoring that g1 needs g2 (network)" },
		{ { LINK_STORAGE, LINK_CONSOLE, LINK_NETWORK },
		  "dependency loop: g1 needs g2 needs g3 needs g1; "
		  "ignoring that g2 needs g3 (console)" },
		{ { LINK_DEVICE_MODEL, LINK_PCI, LINK_USB },
		  "dependency loop: g1 needs g2 needs g3 needs g1; "
		  "ignoring that g3 needs g1 (USB)" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct host host;

		host_init(&host, 4);
		needs(&host, 1, 2, cases[i].classes[0]);
		needs(&host, 2, 3, cases[i].classes[1]);
		needs(&host, 3, 1, cases[i].classes[2]);
		needs(&host, 4, 1, LINK_CONSOLE); /* not part of the loop */
		build(&host);
		assert_string_equal(graph_warning(host.graph, 0), cases[i].warning);
		assert_null(graph_warning(host.graph, 1));
		host_done(&host);
	}
}

static void keeps_the_strongest_of_parallel_links(void **state)
{
	struct host host;
	char text[64];

	(void)state;
	host_init(&host, 2);
	needs(&host, 1, 2, LINK_CONSOLE);
	needs(&host, 1, 2, LINK_PCI);
	needs(&host, 2, 1, LINK_STORAGE);
	build(&host);
	assert_string_equal(list(&host, 1, false, text), "2");
	assert_string_equal(list(&host, 2, false, text), "");
	host_done(&host);
}

static void breaks_every_loop(void **state)
{
	struct host host;
	struct plan plan;

	(void)state;
	host_init(&host, 12);
	for (uint32_t i = 1; i <= 12; i++)
		for (uint32_t j = 1; j <= 12; j++)
			needs(&host, i, j, (i * 5 + j) % 7);
	build(&host);
	assert_non_null(graph_warning(host.graph, 0));
	/* The remaining edges have an order. */
	assert_int_equal(plan_make(&host.inventory, &host.config, NULL, false, &plan), 0);
	for (size_t i = 0; i < 12; i++) {
		struct graph_nodes nodes = graph_needs(host.graph, i);

		for (size_t j = 0; j < nodes.n_nodes; j++)
			assert_true(plan.step_of_guest[i] < plan.step_of_guest[nodes.nodes[j]]);
	}
	plan_done(&plan);
	host_done(&host);
}

/* ---- random graphs ------------------------------------------------------- */

#define N_RANDOM 9

struct random_link {
	uint32_t frontend, backend;
	enum link_class class;
};

static size_t random_links(struct random_link *ret)
{
	size_t n = (size_t)random() % 24;

	for (size_t i = 0; i < n; i++)
		ret[i] = (struct random_link){
			.frontend = 1 + (uint32_t)random() % N_RANDOM,
			.backend = 1 + (uint32_t)random() % N_RANDOM,
			.class = (enum link_class)(random() % (LINK_DEVICE_MODEL + 1)),
		};
	return n;
}

/* Only the links of a class or stronger. */
static void host_from_links(struct host *host, const struct random_link *links, size_t n_links,
			    enum link_class least)
{
	host_init(host, N_RANDOM);
	for (size_t i = 0; i < n_links; i++)
		if (links[i].class >= least)
			needs(host, links[i].frontend, links[i].backend, links[i].class);
	build(host);
}

static bool has_edge(const struct host *host, uint32_t from, uint32_t to)
{
	/* UUIDs are in the order of domids, which count from 1. */
	struct graph_nodes nodes = graph_needs(host->graph, from - 1);

	for (size_t i = 0; i < nodes.n_nodes; i++)
		if (nodes.nodes[i] == to - 1)
			return true;
	return false;
}

static size_t count_warnings(const struct host *host)
{
	size_t n = 0;

	while (graph_warning(host->graph, n))
		n++;
	return n;
}

static size_t count_edges(const struct host *host)
{
	size_t n = 0;

	for (uint32_t from = 1; from <= N_RANDOM; from++)
		for (uint32_t to = 1; to <= N_RANDOM; to++)
			n += has_edge(host, from, to);
	return n;
}

static size_t count_pairs(const struct random_link *links, size_t n_links)
{
	bool linked[N_RANDOM + 1][N_RANDOM + 1] = { { false } };
	size_t n = 0;

	for (size_t i = 0; i < n_links; i++) {
		bool *pair = &linked[links[i].frontend][links[i].backend];

		n += links[i].frontend != links[i].backend && !*pair;
		*pair = true;
	}
	return n;
}

/* Takes over the host's inventory. */
static void assert_can_be_ordered(struct host *host)
{
	struct plan plan;

	assert_int_equal(plan_make(&host->inventory, &host->config, NULL, false, &plan), 0);
	for (uint32_t from = 1; from <= N_RANDOM; from++)
		for (uint32_t to = 1; to <= N_RANDOM; to++)
			if (has_edge(host, from, to))
				assert_true(plan.step_of_guest[from - 1] <
					    plan.step_of_guest[to - 1]);
	plan_done(&plan);
}

/*
 * Where the links of class `least` and stronger ones form no loop, none of them
 * may be cut: each loop then has a weaker link.
 */
static void assert_cut_at_the_weakest(const struct host *host, const struct random_link *links,
				      size_t n_links, enum link_class least)
{
	struct host strong;

	host_from_links(&strong, links, n_links, least);
	for (size_t i = 0; i < n_links && !graph_warning(strong.graph, 0); i++)
		if (links[i].class >= least && links[i].frontend != links[i].backend)
			assert_true(has_edge(host, links[i].frontend, links[i].backend));
	host_done(&strong);
}

static void breaks_loops_at_their_weakest_link_in_random_graphs(void **state)
{
	(void)state;
	srandom(7);
	for (int round = 0; round < 500; round++) {
		struct random_link links[24];
		size_t n_links = random_links(links);
		struct host host;

		host_from_links(&host, links, n_links, LINK_CONFIGURED);
		assert_can_be_ordered(&host);
		/* One warning for each missing edge. */
		assert_int_equal(count_edges(&host) + count_warnings(&host),
				 count_pairs(links, n_links));
		for (int least = LINK_CONFIGURED; least <= LINK_DEVICE_MODEL; least++)
			assert_cut_at_the_weakest(&host, links, n_links, (enum link_class)least);
		host_done(&host);
	}
}

static void the_same_links_give_the_same_graph(void **state)
{
	(void)state;
	srandom(8);
	for (int round = 0; round < 200; round++) {
		struct random_link links[24], reversed[24];
		size_t n_links = random_links(links);
		struct host one, other;

		for (size_t i = 0; i < n_links; i++)
			reversed[i] = links[n_links - 1 - i];
		host_from_links(&one, links, n_links, LINK_CONFIGURED);
		host_from_links(&other, reversed, n_links, LINK_CONFIGURED);
		for (uint32_t from = 1; from <= N_RANDOM; from++)
			for (uint32_t to = 1; to <= N_RANDOM; to++)
				assert_int_equal(has_edge(&one, from, to),
						 has_edge(&other, from, to));
		for (size_t i = 0; graph_warning(one.graph, i); i++)
			assert_string_equal(graph_warning(one.graph, i),
					    graph_warning(other.graph, i));
		host_done(&one);
		host_done(&other);
	}
}

/* ---- growth ------------------------------------------------------------- */

typedef void (*shape_fn)(struct host *host, uint32_t n);

static void chain(struct host *host, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		needs(host, i, i + 1, LINK_NETWORK);
}

static void star(struct host *host, uint32_t n)
{
	for (uint32_t i = 2; i <= n; i++)
		needs(host, i, 1, LINK_STORAGE);
}

static void inverse_star(struct host *host, uint32_t n)
{
	for (uint32_t i = 2; i <= n; i++)
		needs(host, 1, i, LINK_STORAGE);
}

static void random_four_each(struct host *host, uint32_t n)
{
	srandom(n);
	for (uint32_t i = 2; i <= n; i++)
		for (int j = 0; j < 4; j++)
			needs(host, i, 1 + (uint32_t)random() % (i - 1), LINK_NETWORK);
}

/* Milliseconds of CPU for inventory, graph and plan: the best of three. */
static double cost(shape_fn shape, uint32_t n)
{
	double best = 1e9;

	for (int i = 0; i < 3; i++) {
		struct timespec begin, end;
		struct host host;
		struct plan plan;
		double ms;

		host_init(&host, n);
		shape(&host, n);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
		assert_int_equal(inventory_finish(&host.inventory), 0);
		assert_int_equal(plan_make(&host.inventory, &host.config, NULL, false, &plan), 0);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
		ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 +
		     (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
		best = ms < best ? ms : best;
		plan_done(&plan);
		host_done(&host);
	}
	return best;
}

static void grows_nearly_linearly_up_to_5000_guests(void **state)
{
	static const shape_fn shapes[] = { chain, star, inverse_star, random_four_each };

	(void)state;
	/* Ten times the guests: 10 if linear, 100 if quadratic. */
	for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
		double small = cost(shapes[i], 500);
		double large = cost(shapes[i], 5000);

		if (large > 40 * small)
			fail_msg("shape %zu: 500 guests take %.2f ms, 5000 "
				 "%.2f ms",
				 i, small, large);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_needs_and_serves),
		cmocka_unit_test(ignores_links_to_dom0_unknown_domains_and_itself),
		cmocka_unit_test(ignores_claims_of_one_guest),
		cmocka_unit_test(the_configuration_adds_edges),
		cmocka_unit_test(suspend_before_names_whole_guests_only),
		cmocka_unit_test(breaks_a_loop_at_its_weakest_link_with_a_warning),
		cmocka_unit_test(keeps_the_strongest_of_parallel_links),
		cmocka_unit_test(breaks_every_loop),
		cmocka_unit_test(breaks_loops_at_their_weakest_link_in_random_graphs),
		cmocka_unit_test(the_same_links_give_the_same_graph),
		cmocka_unit_test(grows_nearly_linearly_up_to_5000_guests),
	};

	return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
