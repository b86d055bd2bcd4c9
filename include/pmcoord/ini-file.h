/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_INI_FILE_H
#define PMCOORD_INI_FILE_H

#include "pmcoord/error.h"

/*
 * INI files by libinih, with what libinih leaves out: the line number for the
 * handler, all problems of a file at once, and no silent truncation.
 */

/* Where a key stands, for messages: "file:line". */
struct ini_position {
	const char *file;
	unsigned int line;
};

/*
 * Called per `key = value` with its section ("" before the first). Returns 0,
 * or negative after error_set() with a sentence about this key (without the
 * position, which ini_file_parse adds).
 */
typedef int (*ini_handler_fn)(void *data, const struct ini_position *position, const char *section,
			      const char *key, const char *value, struct error *error);

/*
 * Called for each [Section] header, also of one without keys. As above.
 */
typedef int (*ini_section_fn)(void *data, const struct ini_position *position, const char *section,
			      struct error *error);

/* Receives each problem, ready to print: "file:line: key: problem". */
typedef void (*ini_problem_fn)(void *data, const char *problem);

/*
 * Reads `path`, calling `handler` for each key and `problem` for each broken
 * line. Returns 0, -ENOENT if there is no such file, -EBADMSG if there were
 * problems (all were reported), or another negative errno with `error` set.
 */
int ini_file_parse(const char *path, ini_handler_fn handler, ini_problem_fn problem, void *data,
		   struct error *error);

/* The same for files in which a section says something by being there. */
int ini_file_parse_sections(const char *path, ini_section_fn section, ini_handler_fn handler,
			    ini_problem_fn problem, void *data, struct error *error);

#endif
