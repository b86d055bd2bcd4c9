/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_DOMID_INDEX_H
#define PMCOORD_BASE_DOMID_INDEX_H

/* Finds the elements of an array by domid, because an event carries only a domid. */

#include <stddef.h>
#include <stdint.h>

struct domid_entry {
	uint32_t domid;
	size_t element; /* index in the array */
};

/* An index, valid until the array or a domid in it changes. All zero: an empty index. */
struct domid_index {
	struct domid_entry *entries; /* sorted by domid, then by element */
	size_t n;
};

/* Returns the domid of the i-th element. */
typedef uint32_t (*domid_at_fn)(const void *elements, size_t i);

/* Makes an index of `n` elements. Returns 0 or -ENOMEM. Release: domid_index_done. */
int domid_index_make(struct domid_index *ret, const void *elements, size_t n, domid_at_fn domid_at);

void domid_index_done(struct domid_index *index);

/*
 * Finds the entries with this domid, which are adjacent. Returns the first of them,
 * borrowed, and sets *ret_n to their number. Returns NULL and sets *ret_n to 0 if
 * there are none.
 */
const struct domid_entry *domid_index_find(const struct domid_index *index, uint32_t domid,
					   size_t *ret_n);

#endif
