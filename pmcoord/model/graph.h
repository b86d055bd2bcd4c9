/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_GRAPH_H
#define PMCOORD_MODEL_GRAPH_H

/*
 * Who needs whom, as a graph without circles. Pure: the same inventory and
 * configuration give the same graph.
 */

#include "model/config.h"
#include "pmcoord/error.h"
#include "model/inventory.h"

/* A slice of node indices; nodes are the inventory's guests, by index. */
struct graph_nodes {
	const size_t *nodes; /* ascending */
	size_t n_nodes;
};

struct graph;

/*
 * Builds the graph of the believed links among the inventory's guests and of
 * the configuration's SuspendBefore=. Links to dom0 and to unknown domains are
 * no edges. A circle is cut at its weakest link and described, with its path,
 * in graph_warning(). Returns 0 or -ENOMEM; free with graph_free.
 */
int graph_build(const struct inventory *inventory, const struct config *config,
		struct graph **ret_graph);

void graph_free(struct graph *graph);

size_t graph_size(const struct graph *graph);

/* Whom `node` needs, and who needs `node`: borrowed from the graph. */
struct graph_nodes graph_needs(const struct graph *graph, size_t node);
struct graph_nodes graph_serves(const struct graph *graph, size_t node);

/* The i-th circle that was cut, as a sentence; NULL when there are no more. */
const char *graph_warning(const struct graph *graph, size_t i);

#endif
