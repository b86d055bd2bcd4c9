/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ARRAY_H
#define PMCOORD_ARRAY_H

#include <stddef.h>

/*
 * Makes room for one more element behind `length` of `size` bytes each.
 * `array` points to the pointer, which may change. The capacity is the next
 * power of two of the length, so that none needs to be kept; an array that
 * grows by this must grow by nothing else. Returns 0, or -ENOMEM with the
 * array as it was.
 */
int array_grow(void *array, size_t length, size_t size);

#endif
