/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/deadlines.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

/* A binary heap of all items, and the place of each item in the heap. */
struct deadlines {
	size_t n_items;
	uint64_t *at_us; /* by item: the deadline of the item */
	size_t *places; /* by item: the index of the item in the heap */
	size_t *heap; /* items, the one with the earliest deadline first */
};

struct deadlines *deadlines_new(size_t n_items)
{
	struct deadlines *deadlines = calloc(1, sizeof(*deadlines));

	if (!deadlines)
		return NULL;
	*deadlines = (struct deadlines){
		.n_items = n_items,
		.at_us = calloc(n_items + 1, sizeof(*deadlines->at_us)),
		.places = calloc(n_items + 1, sizeof(*deadlines->places)),
		.heap = calloc(n_items + 1, sizeof(*deadlines->heap)),
	};
	if (!deadlines->at_us || !deadlines->places || !deadlines->heap) {
		deadlines_free(deadlines);
		return NULL;
	}
	for (size_t i = 0; i < n_items; i++) {
		deadlines->at_us[i] = DEADLINE_NEVER;
		deadlines->places[i] = i;
		deadlines->heap[i] = i;
	}
	return deadlines;
}

void deadlines_free(struct deadlines *deadlines)
{
	if (!deadlines)
		return;
	free(deadlines->at_us);
	free(deadlines->places);
	free(deadlines->heap);
	free(deadlines);
}

static bool is_earlier(const struct deadlines *deadlines, size_t a, size_t b)
{
	uint64_t a_us = deadlines->at_us[a], b_us = deadlines->at_us[b];

	return a_us != b_us ? a_us < b_us : a < b;
}

static void put(struct deadlines *deadlines, size_t place, size_t item)
{
	deadlines->heap[place] = item;
	deadlines->places[item] = place;
}

static void sift_up(struct deadlines *deadlines, size_t item)
{
	size_t place = deadlines->places[item];

	while (place > 0) {
		size_t parent = deadlines->heap[(place - 1) / 2];

		if (!is_earlier(deadlines, item, parent))
			break;
		put(deadlines, place, parent);
		place = (place - 1) / 2;
	}
	put(deadlines, place, item);
}

static void sift_down(struct deadlines *deadlines, size_t item)
{
	const size_t *heap = deadlines->heap;
	size_t place = deadlines->places[item], child;

	while ((child = 2 * place + 1) < deadlines->n_items) {
		if (child + 1 < deadlines->n_items &&
		    is_earlier(deadlines, heap[child + 1], heap[child]))
			child++;
		if (!is_earlier(deadlines, heap[child], item))
			break;
		put(deadlines, place, heap[child]);
		place = child;
	}
	put(deadlines, place, item);
}

void deadlines_set(struct deadlines *deadlines, size_t item, uint64_t at_us)
{
	assert(item < deadlines->n_items);
	deadlines->at_us[item] = at_us;
	sift_up(deadlines, item);
	sift_down(deadlines, item);
}

uint64_t deadlines_get(const struct deadlines *deadlines, size_t item)
{
	assert(item < deadlines->n_items);
	return deadlines->at_us[item];
}

uint64_t deadlines_next(const struct deadlines *deadlines, size_t *ret_item)
{
	if (deadlines->n_items == 0)
		return DEADLINE_NEVER;
	if (ret_item)
		*ret_item = deadlines->heap[0];
	return deadlines->at_us[deadlines->heap[0]];
}
