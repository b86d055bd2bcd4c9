/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_WRITE_H
#define PMCOORD_WRITE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes all of `data`, however many calls that takes. Returns 0 or a negative
 * errno; a part may have been written then.
 */
int write_all(int fd, const char *data, size_t length);

/*
 * At the end of a program: writes what standard output still holds. If some of
 * it was lost, now or earlier, says so in the program's name and returns true.
 * Who stops reading has had enough, and has lost nothing.
 */
bool output_was_lost(const char *program);

#endif
