/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/ini-file.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"

/*
 * The longest section name or key that libinih keeps, in bytes (see its ini.c). libinih
 * truncates a longer name without an error, so this file reports such names.
 */
#define INIH_NAME_MAX 49

/* Size of the line buffer that libinih allocates. A line that does not fit is reported. */
#define LINE_MAX_BYTES 1024

struct reader {
	FILE *file;
	struct ini_position position;
	ini_section_fn section; /* may be NULL */
	ini_handler_fn handler;
	ini_problem_fn problem;
	void *data;
	bool broken;
};

static void report(struct reader *reader, const char *what, const char *text)
{
	char line[768];

	reader->broken = true;
	snprintf(line, sizeof(line), "%s:%u: %s%s%s", reader->position.file, reader->position.line,
		 what, what[0] ? ": " : "", text);
	reader->problem(reader->data, line);
}

/*
 * Returns the length of the text at `start` up to the first of the characters in
 * `stop`, without trailing blanks.
 */
static size_t trimmed_span(const char *start, const char *stop)
{
	size_t length = strcspn(start, stop);

	while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
		length--;
	return length;
}

/*
 * Passes a section header to the section handler. `line` is the text after the '['.
 * Reports problems. Returns false if libinih would misread the header.
 */
static bool check_section(struct reader *reader, const char *line)
{
	size_t length = strcspn(line, "]");
	char name[INIH_NAME_MAX + 1];
	struct error error = { 0 };

	if (line[length] != ']') {
		report(reader, "", "section header without ']'");
		return false;
	}
	if (length > INIH_NAME_MAX) {
		report(reader, "", "section name is longer than 49 bytes");
		return false;
	}
	memcpy(name, line, length);
	name[length] = '\0';
	if (reader->section && reader->section(reader->data, &reader->position, name, &error) < 0)
		report(reader, name, error_text(&error));
	return true;
}

/*
 * Reports a line that libinih would reject or truncate. libinih itself would return
 * only the number of the first line that it rejects. Returns false if the line must
 * not be passed to libinih.
 */
static bool check_line(struct reader *reader, const char *line)
{
	line += strspn(line, " \t");
	if (strchr(";#\r\n", line[0]) || line[0] == '\0')
		return true;
	if (line[0] == '[')
		return check_section(reader, line + 1);
	if (!strpbrk(line, "=:")) {
		report(reader, "", "neither 'Key=value' nor a [Section]");
		return false;
	}
	if (trimmed_span(line, "=:") > INIH_NAME_MAX) {
		report(reader, "", "key is longer than 49 bytes");
		return false;
	}
	return true;
}

/* U+FEFF, which some editors write at the start of a file. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static void drop_byte_order_mark(char *line)
{
	size_t length = strlen(BYTE_ORDER_MARK);

	if (strncmp(line, BYTE_ORDER_MARK, length) == 0)
		memmove(line, line + length, strlen(line + length) + 1);
}

static char *read_line(char *line, int size, void *data)
{
	struct reader *reader = data;

	if (!fgets(line, size, reader->file))
		return NULL;
	if (++reader->position.line == 1)
		drop_byte_order_mark(line);
	if (!strchr(line, '\n') && !feof(reader->file)) {
		int byte;

		report(reader, "", "line is longer than 1000 bytes");
		while ((byte = fgetc(reader->file)) != EOF && byte != '\n')
			;
		strcpy(line, "\n");
	} else if (!check_line(reader, line)) {
		strcpy(line, "\n");
	}
	return line;
}

static int on_key(void *data, const char *section, const char *key, const char *value)
{
	struct reader *reader = data;
	struct error error = { 0 };
	int r = reader->handler(reader->data, &reader->position, section, key, value, &error);

	if (r < 0)
		report(reader, key, error_text(&error));
	return 1;
}

int ini_file_parse(const char *path, ini_handler_fn handler, ini_problem_fn problem, void *data,
		   struct error *error)
{
	return ini_file_parse_sections(path, NULL, handler, problem, data, error);
}

int ini_file_parse_sections(const char *path, ini_section_fn section, ini_handler_fn handler,
			    ini_problem_fn problem, void *data, struct error *error)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	struct reader reader = {
		.file = file,
		.position.file = path,
		.section = section,
		.handler = handler,
		.problem = problem,
		.data = data,
	};
	static char inline_comments[] = ";#";
	int r;

	assert(path && handler && problem);
	if (!file && errno == ENOENT)
		return -ENOENT;
	if (!file)
		return error_set(error, -errno, "cannot read %s: %s", path, strerror(errno));
	ini_use_stack = false;
	ini_max_line = LINE_MAX_BYTES;
	ini_initial_alloc = LINE_MAX_BYTES;
	ini_allow_multiline = false;
	ini_inline_comment_prefixes = inline_comments;
	r = ini_parse_stream(read_line, &reader, on_key, &reader);
	if (r == -2)
		return error_set(error, -ENOMEM, "cannot read %s: out of memory", path);
	if (ferror(file))
		return error_set(error, -EIO, "cannot read %s: %s", path, strerror(EIO));
	if (r != 0 && !reader.broken)
		report(&reader, "", "syntax error");
	return reader.broken ? -EBADMSG : 0;
}
