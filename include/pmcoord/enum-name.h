/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENUM_NAME_H
#define PMCOORD_ENUM_NAME_H

/*
 * Arrays that hold one name for each value of an enum:
 *
 *	static const char *const names[] = { [A_FIRST] = "first", … };
 *
 *	ENUM_COMPLETE(names, A_LAST);
 *	return ENUM_NAME(names, value);
 */

#include <stddef.h>

#include "pmcoord/cleanup.h"

/* Returns the name of a value, or "?" if the array has none. */
const char *enum_name(const char *const *names, size_t n, size_t value);
#define ENUM_NAME(names, value) enum_name(names, ELEMENTSOF(names), (size_t)(value))

/* Returns the value of a name, or -EINVAL. */
int enum_parse(const char *const *names, size_t n, const char *name);
#define ENUM_PARSE(names, name) enum_parse(names, ELEMENTSOF(names), name)

/*
 * Checks at compile time that `last` is the last index of `array`.
 * tests/verify-modules checks that `last` is also the last value of its enum.
 */
#define ENUM_COMPLETE(array, last)                                                                 \
	_Static_assert(ELEMENTSOF(array) == (size_t)(last) + 1, #array " does not end with " #last)

#endif
