/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_NUMBERED_FILES_H
#define PMCOORD_BASE_NUMBERED_FILES_H

/* Directories with a file per cycle: journals, reports. */

#include <stdint.h>

/*
 * Lists the files in `directory` whose name is a number from 1 to `max`, without
 * leading zeros, and `suffix`. Returns how many, 0 if there is no directory, or a
 * negative errno. The numbers ascend; the caller frees the array.
 */
int numbered_files_list(const char *directory, const char *suffix, uint64_t max,
			uint64_t **ret_numbers);

#endif
