/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ARRAY_H
#define PMCOORD_ARRAY_H

#include <stddef.h>

/* Arrays that grow by one element at a time, without a stored capacity. */

/*
 * Makes room for one more element in an array of `length` elements of `size` bytes
 * each. `array` is the address of the pointer to the first element. This pointer
 * may be NULL if `length` is 0. Only this function may enlarge the array, because it
 * derives the capacity from `length`: the least power of two that is at least
 * `length`. Returns 0, or -ENOMEM with the array unchanged.
 */
int array_grow(void *array, size_t length, size_t size);

#endif
