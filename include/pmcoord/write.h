/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_WRITE_H
#define PMCOORD_WRITE_H

#include <stddef.h>
#include <stdio.h>

/*
 * Writes all of `data`, however many calls that takes. Returns 0 or a negative
 * errno; a part may have been written then.
 */
int write_all(int fd, const char *data, size_t length);

/*
 * Writes what is buffered. Returns 0, or a negative errno if now or earlier
 * some of the output was lost: -EPIPE if nobody reads it any more.
 */
int write_buffered(FILE *out);

#endif
