/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/graph.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"

struct edge {
	size_t from; /* the node that needs … */
	size_t to; /* … this node */
	enum link_class class;
	bool cut;
	bool fixed; /* between guests of an earlier graph: not to be cut */
};

/* The neighbours of each node in one direction of the edges. */
struct adjacency {
	size_t *start; /* per node: index in `nodes` of its first neighbour */
	size_t *nodes; /* the neighbours of node 0, those of node 1, … */
};

struct graph {
	size_t n_nodes;
	struct adjacency needs;
	struct adjacency serves;
	char **warnings;
	size_t n_warnings;
};

struct edge_list {
	struct edge *edges;
	size_t n_edges;
};

static int edge_list_add(struct edge_list *list, const struct edge *edge)
{
	if (array_grow(&list->edges, list->n_edges, sizeof(*list->edges)) < 0)
		return -ENOMEM;
	list->edges[list->n_edges++] = *edge;
	return 0;
}

static int add_links(struct edge_list *list, const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->n_links; i++) {
		const struct link *link = &inventory->links[i];
		const struct guest *from = inventory_find_domid(inventory, link->frontend);
		const struct guest *to = inventory_find_domid(inventory, link->backend);
		struct edge edge;

		if (!from || !to || from == to || !link_is_confirmed(link))
			continue;
		edge = (struct edge){
			.from = (size_t)(from - inventory->guests),
			.to = (size_t)(to - inventory->guests),
			.class = link->class,
		};
		if (edge_list_add(list, &edge) < 0)
			return -ENOMEM;
	}
	return 0;
}

/*
 * Adds an edge from each of the `matching` guests to each guest called `name`, so that
 * the matching guests are suspended first.
 */
static int add_before(struct edge_list *list, const struct inventory *inventory,
		      const size_t *matching, size_t n_matching, const char *name, size_t length)
{
	for (size_t to = 0; to < inventory->n_guests; to++) {
		const char *found = inventory->guests[to].name;

		if (strncmp(found, name, length) != 0 || found[length])
			continue;
		for (size_t i = 0; i < n_matching; i++) {
			struct edge edge = { .from = matching[i],
					     .to = to,
					     .class = LINK_CONFIGURED };

			if (edge.from != to && edge_list_add(list, &edge) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int add_rule(struct edge_list *list, const struct inventory *inventory,
		    const struct config_rule *rule)
{
	_cleanup_(freep) size_t *matching = calloc(inventory->n_guests + 1, sizeof(*matching));
	const char *rest = rule->suspend_before, *name;
	size_t n_matching = 0, length;
	int r = matching ? 0 : -ENOMEM;

	for (size_t i = 0; i < inventory->n_guests && r == 0; i++)
		if (config_rule_matches(rule, inventory->guests[i].name))
			matching[n_matching++] = i;
	while (r == 0 && (length = config_next_name(&rest, &name)))
		r = add_before(list, inventory, matching, n_matching, name, length);
	return r;
}

static int add_configured(struct edge_list *list, const struct inventory *inventory,
			  const struct config *config)
{
	int r = 0;

	for (size_t i = 0; i < config->n_rules && r == 0; i++)
		if (config->rules[i].suspend_before)
			r = add_rule(list, inventory, &config->rules[i]);
	return r;
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *left = a, *right = b;

	if (left->from != right->from)
		return left->from < right->from ? -1 : 1;
	if (left->to != right->to)
		return left->to < right->to ? -1 : 1;
	/* The strongest comes first, because edge_list_sort keeps the first of parallel edges. */
	return (int)right->class - (int)left->class;
}

/*
 * Sorts the edges by `from` and `to`. Of several edges between the same nodes,
 * keeps only the strongest.
 */
static void edge_list_sort(struct edge_list *list)
{
	size_t kept = 0;

	if (list->n_edges == 0)
		return;
	qsort(list->edges, list->n_edges, sizeof(*list->edges), compare_edges);
	for (size_t i = 1; i < list->n_edges; i++) {
		const struct edge *edge = &list->edges[i];

		if (edge->from != list->edges[kept].from || edge->to != list->edges[kept].to)
			list->edges[++kept] = *edge;
	}
	list->n_edges = kept + 1;
}

/*
 * Depth-first search for a loop. White nodes have not been visited, grey nodes are on
 * the current path, and black nodes are done.
 */
struct search {
	struct edge_list *list;
	size_t *first; /* per node: index of its first edge in the sorted list */
	size_t *next; /* per node: index of the edge to try next */
	enum { WHITE, GREY, BLACK } * colour;
	size_t *path; /* indices of the edges from the start to the current node */
	size_t n_path;
};

static void search_done(struct search *search)
{
	free(search->first);
	free(search->next);
	free(search->colour);
	free(search->path);
}

static int search_init(struct search *search, struct edge_list *list, size_t n_nodes)
{
	size_t edge = 0;

	*search = (struct search){
		.list = list,
		.first = calloc(n_nodes + 1, sizeof(size_t)),
		.next = calloc(n_nodes + 1, sizeof(size_t)),
		.colour = calloc(n_nodes + 1, sizeof(*search->colour)),
		.path = calloc(n_nodes + 1, sizeof(size_t)),
	};
	if (!search->first || !search->next || !search->colour || !search->path) {
		search_done(search);
		return -ENOMEM;
	}
	for (size_t node = 0; node <= n_nodes; node++) {
		while (edge < list->n_edges && list->edges[edge].from < node)
			edge++;
		search->first[node] = edge;
		search->next[node] = edge;
	}
	return 0;
}

/*
 * Searches for a loop from `start`. Returns true if the last edge of the path closes
 * a loop, or false if no loop can be reached.
 */
static bool search_from(struct search *search, size_t start)
{
	size_t node = start;

	search->n_path = 0;
	search->colour[start] = GREY;
	for (;;) {
		size_t index = search->next[node];
		const struct edge *edge;

		if (index == search->first[node + 1]) {
			search->colour[node] = BLACK;
			if (search->n_path == 0)
				return false;
			index = search->path[--search->n_path];
			node = search->list->edges[index].from;
			continue;
		}
		edge = &search->list->edges[index];
		search->next[node]++;
		if (edge->cut || search->colour[edge->to] == BLACK)
			continue;
		search->path[search->n_path++] = index;
		if (search->colour[edge->to] == GREY)
			return true;
		node = edge->to;
		search->colour[node] = GREY;
	}
}

/*
 * The last edge of the path closes a loop. Returns the index in `path` of the
 * loop's first edge.
 */
static size_t loop_start(const struct search *search)
{
	const struct edge *edges = search->list->edges;
	size_t closes_at = edges[search->path[search->n_path - 1]].to;
	size_t i = search->n_path - 1;

	while (edges[search->path[i]].from != closes_at)
		i--;
	return i;
}

static int add_warning(struct graph *graph, const struct inventory *inventory,
		       const struct search *search, size_t start, const struct edge *weakest)
{
	const struct edge *edges = search->list->edges;
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	char **warnings;

	if (!out)
		return -ENOMEM;
	fprintf(out, "dependency loop: ");
	for (size_t i = start; i < search->n_path; i++)
		fprintf(out, "%s needs ", inventory->guests[edges[search->path[i]].from].name);
	fprintf(out, "%s; ignoring that %s needs %s (%s)",
		inventory->guests[edges[search->path[start]].from].name,
		inventory->guests[weakest->from].name, inventory->guests[weakest->to].name,
		link_class_name(weakest->class));
	if (fclose(out) != 0)
		return -ENOMEM;
	warnings = reallocarray(graph->warnings, graph->n_warnings + 1, sizeof(*warnings));
	if (!warnings)
		return -ENOMEM;
	graph->warnings = warnings;
	warnings[graph->n_warnings++] = TAKE_PTR(text);
	return 0;
}

static int break_loop(struct graph *graph, const struct inventory *inventory, struct search *search)
{
	struct edge *edges = search->list->edges;
	size_t start = loop_start(search);
	struct edge *weakest = &edges[search->path[start]];

	for (size_t i = start + 1; i < search->n_path; i++) {
		struct edge *edge = &edges[search->path[i]];

		if (weakest->fixed || (!edge->fixed && edge->class < weakest->class))
			weakest = edge;
	}
	weakest->cut = true;
	return add_warning(graph, inventory, search, start, weakest);
}

/*
 * Breaks all loops. After each loop the search starts again from the beginning.
 * This is simple, and fast enough because loops are rare.
 */
static int break_loops(struct graph *graph, const struct inventory *inventory,
		       struct edge_list *list)
{
	for (;;) {
		struct search search;
		bool found = false;
		int r = search_init(&search, list, graph->n_nodes);

		if (r < 0)
			return r;
		for (size_t i = 0; i < graph->n_nodes && !found; i++)
			if (search.colour[i] == WHITE)
				found = search_from(&search, i);
		if (found)
			r = break_loop(graph, inventory, &search);
		search_done(&search);
		if (!found || r < 0)
			return r;
	}
}

/* Groups the edges by `from` or, if `reversed`, by `to`, with a counting sort. */
static int adjacency_build(struct adjacency *adjacency, size_t n_nodes,
			   const struct edge_list *list, bool reversed)
{
	size_t *start = calloc(n_nodes + 2, sizeof(*start));
	size_t *nodes = calloc(list->n_edges + 1, sizeof(*nodes));

	if (!start || !nodes) {
		free(start);
		free(nodes);
		return -ENOMEM;
	}
	/*
	 * First pass: start[i + 2] counts the edges of node i. Second pass:
	 * start[i + 1] becomes the index of node i's first neighbour. Third pass:
	 * node i's neighbours are stored, and start[i + 1] advances to the index
	 * of node i + 1's first neighbour, as struct adjacency requires.
	 */
	for (size_t i = 0; i < list->n_edges; i++) {
		const struct edge *edge = &list->edges[i];

		if (!edge->cut)
			start[(reversed ? edge->to : edge->from) + 2]++;
	}
	for (size_t i = 2; i < n_nodes + 2; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < list->n_edges; i++) {
		const struct edge *edge = &list->edges[i];
		size_t key = reversed ? edge->to : edge->from;

		if (!edge->cut)
			nodes[start[key + 1]++] = reversed ? edge->from : edge->to;
	}
	adjacency->start = start;
	adjacency->nodes = nodes;
	return 0;
}

static int graph_fill(struct graph *graph, const struct edge_list *list)
{
	int r = adjacency_build(&graph->needs, graph->n_nodes, list, false);

	if (r == 0)
		r = adjacency_build(&graph->serves, graph->n_nodes, list, true);
	return r;
}

void graph_free(struct graph *graph)
{
	if (!graph)
		return;
	free(graph->needs.start);
	free(graph->needs.nodes);
	free(graph->serves.start);
	free(graph->serves.nodes);
	for (size_t i = 0; i < graph->n_warnings; i++)
		free(graph->warnings[i]);
	free(graph->warnings);
	free(graph);
}

static void graph_freep(struct graph **graph)
{
	graph_free(*graph);
	*graph = NULL;
}

static bool has_edge(const struct graph *graph, size_t from, size_t to)
{
	struct graph_nodes needs = graph_needs(graph, from);

	for (size_t i = 0; i < needs.n_nodes; i++)
		if (needs.nodes[i] == to)
			return true;
	return false;
}

/* Removes the edges between guests of the graph `before` that are not in it; fixes the others. */
static void fix_edges(struct edge_list *list, const struct graph *before, const size_t *node_before)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n_edges; i++) {
		struct edge edge = list->edges[i];
		size_t from = node_before[edge.from], to = node_before[edge.to];

		edge.fixed = from != GRAPH_NEWCOMER && to != GRAPH_NEWCOMER;
		if (!edge.fixed || has_edge(before, from, to))
			list->edges[kept++] = edge;
	}
	list->n_edges = kept;
}

/* `before` is NULL for a first graph. */
static int build(const struct inventory *inventory, const struct config *config,
		 const struct graph *before, const size_t *node_before, struct graph **ret_graph)
{
	_cleanup_(graph_freep) struct graph *graph = calloc(1, sizeof(*graph));
	struct edge_list list = { 0 };
	int r;

	if (!graph)
		return -ENOMEM;
	graph->n_nodes = inventory->n_guests;
	r = add_links(&list, inventory);
	if (r == 0)
		r = add_configured(&list, inventory, config);
	if (r == 0) {
		edge_list_sort(&list);
		if (before)
			fix_edges(&list, before, node_before);
		r = break_loops(graph, inventory, &list);
	}
	if (r == 0)
		r = graph_fill(graph, &list);
	free(list.edges);
	if (r < 0)
		return r;
	*ret_graph = TAKE_PTR(graph);
	return 0;
}

int graph_build(const struct inventory *inventory, const struct config *config,
		struct graph **ret_graph)
{
	assert(inventory && config && ret_graph);
	return build(inventory, config, NULL, NULL, ret_graph);
}

int graph_extend(const struct inventory *inventory, const struct config *config,
		 const struct graph *before, const size_t *node_before, struct graph **ret_graph)
{
	assert(inventory && config && before && node_before && ret_graph);
	return build(inventory, config, before, node_before, ret_graph);
}

size_t graph_size(const struct graph *graph)
{
	assert(graph);
	return graph->n_nodes;
}

static struct graph_nodes adjacency_of(const struct adjacency *adjacency, size_t node)
{
	return (struct graph_nodes){
		.nodes = adjacency->nodes + adjacency->start[node],
		.n_nodes = adjacency->start[node + 1] - adjacency->start[node],
	};
}

struct graph_nodes graph_needs(const struct graph *graph, size_t node)
{
	assert(node < graph->n_nodes);
	return adjacency_of(&graph->needs, node);
}

struct graph_nodes graph_serves(const struct graph *graph, size_t node)
{
	assert(node < graph->n_nodes);
	return adjacency_of(&graph->serves, node);
}

const char *graph_warning(const struct graph *graph, size_t i)
{
	assert(graph);
	return i < graph->n_warnings ? graph->warnings[i] : NULL;
}
