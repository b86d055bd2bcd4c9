/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENUM_NAME_H
#define PMCOORD_ENUM_NAME_H

/*
 * Arrays of names with one for each value of an enum:
 *
 *	static const char *const names[] = { [A_FIRST] = "first", [A_LAST] = …
 *};
 *
 *	ENUM_COMPLETE(names, A_LAST);
 *	return ENUM_NAME(names, value);
 */

#include <stddef.h>

#include "pmcoord/cleanup.h"

/* The name of a value; "?" where the array has none, as nothing depends on it.
 */
const char *enum_name(const char *const *names, size_t n, size_t value);
#define ENUM_NAME(names, value) enum_name(names, ELEMENTSOF(names), (size_t)(value))

/* The value of a name, or -EINVAL. */
int enum_parse(const char *const *names, size_t n, const char *name);
#define ENUM_PARSE(names, name) enum_parse(names, ELEMENTSOF(names), name)

/*
 * At compile time: an array that is indexed by an enum ends with the enum's
 * last value (tests/verify-modules: that it is the last).
 */
#define ENUM_COMPLETE(array, last)                                                                 \
	_Static_assert(ELEMENTSOF(array) == (size_t)(last) + 1, #array " does not end with " #last)

#endif
