/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_NUMBERED_FILES_H
#define PMCOORD_BASE_NUMBERED_FILES_H

/* Directories with one file for each cycle: journals or reports. */

#include <stdint.h>

/*
 * Lists the files in `directory` whose names consist of a number from 1 to `max`,
 * without leading zeros, and `suffix`. Stores the numbers in ascending order in an
 * array, which the caller frees. Returns their count, 0 if the directory does not
 * exist, or a negative errno.
 */
int numbered_files_list(const char *directory, const char *suffix, uint64_t max,
			uint64_t **ret_numbers);

#endif
