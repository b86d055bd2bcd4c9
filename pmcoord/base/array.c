/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/array.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int array_grow(void *array, size_t length, size_t size)
{
	void **elements = array;
	void *grown;

	assert(array && size > 0);
	if (length != 0 && (length & (length - 1)) != 0)
		return 0;
	grown = reallocarray(*elements, length ? length * 2 : 1, size);
	if (!grown)
		return -ENOMEM;
	*elements = grown;
	return 0;
}
