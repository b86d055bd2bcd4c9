/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/domid-index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static int compare_entries(const void *a, const void *b)
{
	const struct domid_entry *left = a, *right = b;

	if (left->domid != right->domid)
		return left->domid < right->domid ? -1 : 1;
	return (left->element > right->element) - (left->element < right->element);
}

int domid_index_make(struct domid_index *ret, const void *elements, size_t n, domid_at_fn domid_at)
{
	struct domid_entry *entries = reallocarray(NULL, n + 1, sizeof(*entries));

	assert(ret && (elements || n == 0) && domid_at);
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct domid_entry){
			.domid = domid_at(elements, i),
			.element = i,
		};
	qsort(entries, n, sizeof(*entries), compare_entries);
	*ret = (struct domid_index){ .entries = entries, .n = n };
	return 0;
}

void domid_index_done(struct domid_index *index)
{
	if (!index)
		return;
	free(index->entries);
	*index = (struct domid_index){ 0 };
}

/* Returns the index of the first entry whose domid is not less than `domid`. */
static size_t lower_bound(const struct domid_index *index, uint32_t domid)
{
	size_t low = 0, high = index->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->entries[middle].domid < domid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct domid_entry *domid_index_find(const struct domid_index *index, uint32_t domid,
					   size_t *ret_n)
{
	size_t first = lower_bound(index, domid), end = first;

	assert(ret_n);
	while (end < index->n && index->entries[end].domid == domid)
		end++;
	*ret_n = end - first;
	return end > first ? &index->entries[first] : NULL;
}
