/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HASH_H
#define PMCOORD_HASH_H

#include <stdint.h>

#define HASH_START 0xcbf29ce484222325ull

/*
 * FNV-1a of the bytes of a string. Starts with HASH_START, or with the hash of
 * what came before. The same everywhere and always: it names directories.
 */
uint64_t hash_text(uint64_t start, const char *text);

#endif
