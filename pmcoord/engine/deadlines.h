/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_DEADLINES_H
#define PMCOORD_ENGINE_DEADLINES_H

/*
 * The deadlines of n items. The earliest deadline is found in O(1), and a
 * deadline is set in O(log n).
 */

#include <stddef.h>
#include <stdint.h>

/* The deadline of an item that has none. */
#define DEADLINE_NEVER UINT64_MAX

struct deadlines;

/*
 * Creates the deadlines of the items 0 … n_items - 1, all DEADLINE_NEVER.
 * Returns NULL when out of memory. Release: deadlines_free.
 */
struct deadlines *deadlines_new(size_t n_items);
/* Frees `deadlines`, which may be NULL. */
void deadlines_free(struct deadlines *deadlines);

/* Sets the deadline of an item, in µs of a clock that the caller chooses. */
void deadlines_set(struct deadlines *deadlines, size_t item, uint64_t at_us);
/* Returns the deadline of an item, or DEADLINE_NEVER if the item has none. */
uint64_t deadlines_get(const struct deadlines *deadlines, size_t item);

/*
 * Returns the earliest deadline, or DEADLINE_NEVER if no item has a deadline.
 * Sets *ret_item to the lowest item with this deadline. Leaves *ret_item
 * unchanged if there are no items. `ret_item` may be NULL.
 */
uint64_t deadlines_next(const struct deadlines *deadlines, size_t *ret_item);

#endif
