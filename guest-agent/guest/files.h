/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_FILES_H
#define GUEST_AGENT_GUEST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/cleanup.h"

/*
 * Reads and writes attributes and files of the guest's system, below the directories in
 * struct roots. Tests use other directories. `format` and the arguments after it are a path
 * in printf(3)'s format.
 */
struct roots {
	const char *sys;
	const char *proc;
	const char *run; /* the agent's own directory on /run */
	const char *etc; /* /etc/pmcoord */
	const char *dev;
	const char *services; /* /run, which contains the state of other services */
};

/* The directories of the running system. */
extern const struct roots roots_of_system;

/* The size of a path, with its NUL; enough for every path that the agent needs. */
#define FILE_PATH_MAX 512

/* Formats a path into `ret` (FILE_PATH_MAX bytes). Returns 0, or -ENAMETOOLONG if too long. */
int file_path(char *ret, const char *format, ...) _printf_(2, 3);

/*
 * Reads at most `size` - 1 bytes of an attribute or file into `ret`, without trailing
 * newlines and blanks. Returns the length, or negative errno with `ret` empty.
 */
int file_read(char *ret, size_t size, const char *format, ...) _printf_(3, 4);

/*
 * Reads a whole file of any size, NUL-terminated. Returns 0 or negative errno; release
 * `*ret` with free().
 */
int file_read_all(char **ret, size_t *ret_length, const char *format, ...) _printf_(3, 4);

/* Reads a number such as "0x8086" or "12". Returns 0 or negative errno. */
int file_read_number(uint64_t *ret, const char *format, ...) _printf_(2, 3);

/* Writes `text` to an existing file by one write(2). Returns 0 or negative errno. */
int file_write(const char *path, const char *text);
/* Does the same as file_write(), for a path in printf(3)'s format. */
int file_write_at(const char *text, const char *format, ...) _printf_(2, 3);

/* Reads the last component of a symbolic link's target. Returns 0 or negative errno. */
int file_link_name(char *ret, size_t size, const char *format, ...) _printf_(3, 4);

bool file_exists(const char *format, ...) _printf_(1, 2);

/* The number of a device. */
struct device_number {
	bool block; /* a block device; false: a character device */
	char text[24]; /* "<major>:<minor>", e.g. "259:0" */
};

/*
 * Reads the device number of the node `path` (relative to `directory`, as for openat(2)),
 * without waiting for a slow file system. Returns 1; 0 if `path` is not a device node; or
 * negative errno.
 */
int file_device(int directory, const char *path, struct device_number *ret);

/*
 * Called by directory_each() for each entry of a directory, with the directory's file
 * descriptor. A result other than 0 ends the walk.
 */
typedef int (*directory_fn)(void *data, int directory, const char *name);

/*
 * Calls `take` for each entry of a directory, except those whose name begins with a dot.
 * Returns the result by which `take` ended the walk; 0 if all entries were walked; or
 * negative errno if the directory could not be read to its end.
 */
int directory_each(const char *path, directory_fn take, void *data);

/* Replaces the contents of `path` completely or not at all. Returns 0 or negative errno. */
int file_replace(const char *path, const void *data, size_t length);

#endif
