/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/enum-name.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

const char *enum_name(const char *const *names, size_t n, size_t value)
{
	assert(names);
	return value < n && names[value] ? names[value] : "?";
}

int enum_parse(const char *const *names, size_t n, const char *name)
{
	assert(names && name);
	for (size_t i = 0; i < n; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}
