/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_WRITE_H
#define PMCOORD_WRITE_H

/* Writes output, and notices output that could not be written. */

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes all of `data`, with as many calls of write(2) as necessary. Returns 0, or
 * a negative errno if nothing or only a part was written.
 */
int write_all(int fd, const char *data, size_t length);

/*
 * Flushes standard output, at the end of a program. If some output could not be
 * written, now or earlier, prints an error with the program's name and returns
 * true. Returns false if all output was written, or if the reader has closed the
 * pipe (EPIPE).
 */
bool output_was_lost(const char *program);

#endif
