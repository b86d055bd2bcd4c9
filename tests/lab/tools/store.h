/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A xenstore client of one file, for programs without a libc to load. (Debian's static libxenstore is built
 * without threads, and its watches do not work then.)
 *
 * Failures of the connection end the program; "there is no such node" is NULL or false.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store {
	int fd;
	uint32_t requests;
	bool watch_fired; /* since it was last set to false */
};

void store_open(struct store *s);
/* The value with a NUL behind it, to be freed. */
char *store_read(struct store *s, const char *path, size_t *ret_length);
bool store_write(struct store *s, const char *path, const void *value, size_t length);
bool store_mkdir(struct store *s, const char *path);
bool store_rm(struct store *s, const char *path);
/* Names separated by NUL, with an empty one at the end; NULL: no such node. To be freed. */
char *store_directory(struct store *s, const char *path);
void store_watch(struct store *s, const char *path);
bool store_is_introduced(struct store *s, unsigned int domid);
/* When fd is readable: takes in one message, which is a watch's. */
void store_dispatch(struct store *s);
