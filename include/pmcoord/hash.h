/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HASH_H
#define PMCOORD_HASH_H

/* A hash of strings that is the same on all machines. */

#include <stdint.h>

#define HASH_START 0xcbf29ce484222325ull

/*
 * Returns the FNV-1a hash of a string's bytes. `start` is HASH_START, or the hash of
 * the preceding strings. The hash must not change between versions and machines,
 * because the names of directories contain it.
 */
uint64_t hash_text(uint64_t start, const char *text);

#endif
