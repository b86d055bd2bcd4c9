/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_INI_FILE_H
#define PMCOORD_INI_FILE_H

#include "pmcoord/error.h"

/*
 * Reads INI files with libinih, and adds what libinih lacks: line numbers for the
 * handler, sections of any length, a report of all problems of a file at once, and an
 * error where libinih truncates silently.
 */

/* The position of a key or of a section header, for messages: "file:line". */
struct ini_position {
	const char *file;
	unsigned int line;
};

/*
 * Called for each `key = value` with its section ("" before the first section
 * header). Returns 0, or a negative errno with `error` set to a sentence about the
 * value. ini_file_parse() reports this sentence with the file, the line and the key.
 */
typedef int (*ini_handler_fn)(void *data, const struct ini_position *position, const char *section,
			      const char *key, const char *value, struct error *error);

/*
 * Called for each [Section] header, even if no key follows. Returns 0, or a negative
 * errno with `error` set to a sentence about the section.
 */
typedef int (*ini_section_fn)(void *data, const struct ini_position *position, const char *section,
			      struct error *error);

/* Receives each problem, ready to print: "file:line: key: problem". */
typedef void (*ini_problem_fn)(void *data, const char *problem);

/*
 * Reads `path`, and calls `handler` for each key and `problem` for each problem of
 * a line. Never blocks: only a regular file of up to 16 MiB is read, and /dev/null counts
 * as empty. Keys that follow a header that cannot be read are ignored. Returns 0, -ENOENT
 * if there is no such file, -EBADMSG if `problem` was called, or another negative errno
 * with `error` set.
 */
int ini_file_parse(const char *path, ini_handler_fn handler, ini_problem_fn problem, void *data,
		   struct error *error);

/* As ini_file_parse(), but also calls `section`, unless it is NULL, for each section header. */
int ini_file_parse_sections(const char *path, ini_section_fn section, ini_handler_fn handler,
			    ini_problem_fn problem, void *data, struct error *error);

#endif
