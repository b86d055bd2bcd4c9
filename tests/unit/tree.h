/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

/* Directories that tests make under names of mkdtemp(3). */

#include <stdio.h>
#include <stdlib.h>

/* Removes a directory with all that is in it. Returns 0, or another number if it cannot. */
static inline int tree_remove_all(const char *directory)
{
	char command[256];
	int n = snprintf(command, sizeof(command), "rm -r %s", directory);

	return n < 0 || (size_t)n >= sizeof(command) ? -1 : system(command);
}

#endif
