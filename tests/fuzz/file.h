/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FUZZ_FILE_H
#define TESTS_FUZZ_FILE_H

/* Provides the fuzzer's input as a file, for parsers that take a path. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A directory in memory, created once per process and removed at exit. */
const char *fuzz_directory(void);

/* Writes the input to <directory>/<name>; returns the path, valid until exit. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

#endif
