/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_DEADLINES_H
#define PMCOORD_ENGINE_DEADLINES_H

/* The deadlines of n items, and the earliest of them; setting one takes O(log n). */

#include <stddef.h>
#include <stdint.h>

#define DEADLINE_NEVER UINT64_MAX

struct deadlines;

/*
 * For items 0 … n_items - 1, each DEADLINE_NEVER at first. Returns NULL without
 * memory; free with deadlines_free.
 */
struct deadlines *deadlines_new(size_t n_items);
/* Takes NULL. */
void deadlines_free(struct deadlines *deadlines);

/* Times are in µs of any one clock. */
void deadlines_set(struct deadlines *deadlines, size_t item, uint64_t at_us);
uint64_t deadlines_get(const struct deadlines *deadlines, size_t item);

/*
 * The earliest deadline, DEADLINE_NEVER if none is set. *ret_item is its item,
 * the lowest of several; untouched if there are no items. `ret_item` may be
 * NULL.
 */
uint64_t deadlines_next(const struct deadlines *deadlines, size_t *ret_item);

#endif
