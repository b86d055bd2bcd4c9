/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_NUMBERED_FILES_H
#define PMCOORD_BASE_NUMBERED_FILES_H

/* Directories with a file per cycle: journals, reports. */

#include <stdint.h>

/*
 * Lists the numbers of the files in `directory` that are named by a number from
 * 1 to `max`, without leading zeros, followed by `suffix`; ascending. Free the
 * array. Returns how many, or a negative errno; no directory is none.
 */
int numbered_files_list(const char *directory, const char *suffix, uint64_t max,
			uint64_t **ret_numbers);

#endif
