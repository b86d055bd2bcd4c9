/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_WRITE_H
#define PMCOORD_WRITE_H

#include <stddef.h>

/*
 * Writes all of `data`, however many calls that takes. Returns 0 or a negative
 * errno; a part may have been written then.
 */
int write_all(int fd, const char *data, size_t length);

#endif
