/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_ATTRIBUTE_H
#define PMCOORD_HOST_ATTRIBUTE_H

/* Attributes in sysfs: files of one line. */

#include <stddef.h>
#include <stdint.h>

/*
 * Reads an open attribute from its beginning, without the newline. Returns 0, or a negative errno,
 * with *ret unchanged.
 */
int attribute_read(int fd, char *ret, size_t size);

/* As attribute_read, of a file below the directory; "" if it cannot be read. */
void attribute_read_at(int directory_fd, const char *path, char *ret, size_t size);

/* Reads a number. Returns 0, or a negative errno, with *ret unchanged. */
int attribute_read_number(int fd, uint64_t *ret);

#endif
