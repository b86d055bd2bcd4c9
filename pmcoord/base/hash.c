/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/hash.h"

#include <assert.h>

uint64_t hash_text(uint64_t start, const char *text)
{
	uint64_t hash = start;

	assert(text);
	for (const char *c = text; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3ull;
	return hash;
}
