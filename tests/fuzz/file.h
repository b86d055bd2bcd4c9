/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FUZZ_FILE_H
#define TESTS_FUZZ_FILE_H

/* The input as a file, for parsers that take a path. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A directory in memory, made once for the process and removed at its end. */
const char *fuzz_directory(void);

/* Writes the input to <directory>/<name>; returns its path. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

#endif
