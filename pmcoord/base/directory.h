/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_DIRECTORY_H
#define PMCOORD_BASE_DIRECTORY_H

/* Directories that the program creates for itself. */

/*
 * Creates `path` with mode 0700, and missing parents with mode 0755. Existing
 * directories are not changed. Returns 0 or a negative errno.
 */
int directory_make(const char *path);

#endif
