/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ARRAY_H
#define PMCOORD_ARRAY_H

#include <stddef.h>

/*
 * Arrays that grow by one element at a time, without a stored capacity.
 *
 * Makes room for one more element in an array of `length` elements of `size`
 * bytes each. `array` is the address of the array's pointer, which may change.
 * The capacity is the next power of two of the length, so an array that grows
 * by this function must not grow in any other way. Returns 0, or -ENOMEM with
 * the array unchanged.
 */
int array_grow(void *array, size_t length, size_t size);

#endif
