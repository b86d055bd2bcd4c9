/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_FILES_H
#define GUEST_AGENT_GUEST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/cleanup.h"

/*
 * Reads and writes attributes and files of the guest's system, below directories that
 * tests replace by their own.
 */
struct roots {
	const char *sys;
	const char *proc;
	const char *run; /* the agent's own directory on /run */
	const char *etc; /* /etc/pmcoord */
	const char *dev;
	const char *services; /* /run: the state of other services */
};

/* The directories of the running system. */
extern const struct roots roots_of_system;

/* No sysfs path that the agent forms is longer. */
#define FILE_PATH_MAX 512

/* Formats a path into `ret` (FILE_PATH_MAX bytes). Returns 0 or -ENAMETOOLONG. */
int file_path(char *ret, const char *format, ...) _printf_(2, 3);

/*
 * Reads at most `size` - 1 bytes of an attribute, without trailing newlines and
 * blanks. Returns the length, or negative errno with `ret` empty.
 */
int file_read(char *ret, size_t size, const char *format, ...) _printf_(3, 4);

/*
 * Reads a whole file of any size, NUL-terminated. Returns 0 or negative errno; release
 * `*ret` with free().
 */
int file_read_all(char **ret, size_t *ret_length, const char *format, ...) _printf_(3, 4);

/* Reads a number ("0x8086", "12"). Returns 0 or negative errno. */
int file_read_number(uint64_t *ret, const char *format, ...) _printf_(2, 3);

/* Writes `text` to an existing file in one write(2). Returns 0 or negative errno. */
int file_write(const char *path, const char *text);
int file_write_at(const char *text, const char *format, ...) _printf_(2, 3);

/* The last component of a symbolic link's target. Returns 0 or negative errno. */
int file_link_name(char *ret, size_t size, const char *format, ...) _printf_(3, 4);

bool file_exists(const char *format, ...) _printf_(1, 2);

/* A device's number, as sysfs writes it. */
struct device_number {
	bool block; /* or a character device */
	char text[24]; /* "259:0" */
};

/*
 * The device of the node `path` (relative to `directory`, as for openat(2)). Does not
 * wait for slow file systems. Returns 1, 0 if it is not a node, or negative errno.
 */
int file_device(int directory, const char *path, struct device_number *ret);

/* Called per entry, with the directory's descriptor; a result other than 0 ends the walk. */
typedef int (*directory_fn)(void *data, int directory, const char *name);

/*
 * Lists a directory, without entries that begin with a dot. Returns what `take`
 * returned, 0, or negative errno if it cannot be listed to its end.
 */
int directory_each(const char *path, directory_fn take, void *data);

/* Replaces the contents of `path` completely or not at all. Returns 0 or negative errno. */
int file_replace(const char *path, const void *data, size_t length);

#endif
