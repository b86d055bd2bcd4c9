/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_DIRECTORY_H
#define PMCOORD_BASE_DIRECTORY_H

/*
 * Creates a directory with mode 0700, and missing parents with mode 0755. An
 * existing directory is not changed. Returns 0 or a negative errno.
 */
int directory_make(const char *path);

#endif
