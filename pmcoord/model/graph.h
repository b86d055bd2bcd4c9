/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_GRAPH_H
#define PMCOORD_MODEL_GRAPH_H

/*
 * The dependencies between guests, as a graph without loops. Pure: the same
 * inventory and configuration give the same graph.
 */

#include <stddef.h>
#include <stdint.h>

#include "model/config.h"
#include "model/inventory.h"

/* A slice of nodes; a node is the index of a guest in the inventory. */
struct graph_nodes {
	const size_t *nodes; /* ascending */
	size_t n_nodes;
};

struct graph;

/*
 * Builds the graph from the confirmed links between guests of the inventory and
 * from SuspendBefore=. Links to dom0 or to unknown domains are ignored. A
 * dependency loop is broken at its weakest link and described by
 * graph_warning(). Returns 0 or -ENOMEM. Release: graph_free.
 */
int graph_build(const struct inventory *inventory, const struct config *config,
		struct graph **ret_graph);

/* In place of a node: the guest is not in the earlier graph. */
#define GRAPH_NEWCOMER SIZE_MAX

/*
 * Builds the graph of an inventory with newcomers. Between the other guests the links are those
 * of the graph `before`, because the order of guests that are suspended already must stay what
 * it was. `node_before` has the node of each guest in `before`, or GRAPH_NEWCOMER. A loop is
 * broken at a link of a newcomer. Returns 0 or -ENOMEM. Release: graph_free.
 */
int graph_extend(const struct inventory *inventory, const struct config *config,
		 const struct graph *before, const size_t *node_before, struct graph **ret_graph);

/* `graph` may be NULL. */
void graph_free(struct graph *graph);

/* Returns the number of nodes. */
size_t graph_size(const struct graph *graph);

/* Returns the nodes that `node` needs, borrowed. */
struct graph_nodes graph_needs(const struct graph *graph, size_t node);

/* Returns the nodes that need `node`, borrowed. */
struct graph_nodes graph_serves(const struct graph *graph, size_t node);

/* Returns a sentence about the i-th broken loop, borrowed; NULL after the last. */
const char *graph_warning(const struct graph *graph, size_t i);

#endif
