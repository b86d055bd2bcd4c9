/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_DIRECTORY_H
#define PMCOORD_BASE_DIRECTORY_H

/*
 * Makes a directory that nobody else reads (mode 0700), and its parents, which
 * all may (0755). One that is there stays as it is. Returns 0 or a negative
 * errno.
 */
int directory_make(const char *path);

#endif
