/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_DEADLINES_H
#define PMCOORD_ENGINE_DEADLINES_H

/*
 * The deadlines of many items, and whose is next; setting one costs no more
 * than the logarithm of their number.
 */

#include <stddef.h>
#include <stdint.h>

#define DEADLINE_NEVER UINT64_MAX

struct deadlines;

/* For items 0 … n_items - 1, each DEADLINE_NEVER at first. NULL: no memory. */
struct deadlines *deadlines_new(size_t n_items);
void deadlines_free(struct deadlines *deadlines);

void deadlines_set(struct deadlines *deadlines, size_t item, uint64_t at_us);
uint64_t deadlines_get(const struct deadlines *deadlines, size_t item);

/*
 * The earliest, DEADLINE_NEVER if there is none, and in *ret_item whose it is:
 * of several, the first item's. `ret_item` may be NULL.
 */
uint64_t deadlines_next(const struct deadlines *deadlines, size_t *ret_item);

#endif
