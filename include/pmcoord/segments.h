/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SEGMENTS_H
#define PMCOORD_SEGMENTS_H

/* The segments of the program and its libraries in this process's memory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment {
	const char *path; /* of the library; "": the program itself */
	uintptr_t start;
	size_t length;
	bool is_readable;
	bool is_writable;
};

typedef void (*segment_fn)(void *data, const struct segment *segment);

/* Calls `handle` with `data` for each loaded segment (PT_LOAD of elf(5)). */
void segments_each(segment_fn handle, void *data);

#endif
