/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_DOMID_INDEX_H
#define PMCOORD_BASE_DOMID_INDEX_H

/* The elements of an array by their domid, for events, which carry no more. */

#include <stddef.h>
#include <stdint.h>

struct domid_entry {
	uint32_t domid;
	size_t element; /* index in the array */
};

/* Valid as long as the array and its domids do not change. */
struct domid_index {
	struct domid_entry *entries; /* by domid, then by element */
	size_t n;
};

/* The domid of an element. */
typedef uint32_t (*domid_at_fn)(const void *elements, size_t i);

/* Release: domid_index_done. Returns 0, or -ENOMEM with `ret` untouched. */
int domid_index_make(struct domid_index *ret, const void *elements, size_t n, domid_at_fn domid_at);

/* Also of one that is all zero. */
void domid_index_done(struct domid_index *index);

/* The first of `*ret_n` entries of this domid; NULL where there is none. */
const struct domid_entry *domid_index_find(const struct domid_index *index, uint32_t domid,
					   size_t *ret_n);

#endif
