/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/ini-file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/*
 * The longest key that libinih keeps, in bytes (see its ini.c). libinih truncates a longer
 * one without an error, so this file reports it. Sections do not pass through libinih,
 * because they contain names of guests, which may be longer.
 */
#define INIH_NAME_MAX 49

/* Size of the line buffer that libinih allocates. A line that does not fit is reported. */
#define LINE_MAX_BYTES 1024

/* The size of the largest file that is read, so that no file holds up its reader. */
#define FILE_MAX_BYTES (16 * 1024 * 1024)

struct reader {
	FILE *file;
	char *line; /* of getline(3) */
	size_t line_size;
	struct ini_position position;
	char *name; /* of the current section; NULL: none yet */
	bool is_outside; /* after a bad header: it is unknown to what the keys belong */
	ini_section_fn section; /* may be NULL */
	ini_handler_fn handler;
	ini_problem_fn problem;
	void *data;
	bool broken, out_of_memory;
};

static void report(struct reader *reader, const char *what, const char *text)
{
	char raw[768], line[768];

	reader->broken = true;
	snprintf(raw, sizeof(raw), "%s:%u: %s%s%s", reader->position.file, reader->position.line,
		 what, what[0] ? ": " : "", text);
	text_sanitize(raw, strlen(raw), line, sizeof(line));
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
 * Begins the section of a header, and passes it to the section handler. `line` is the
 * text after the '['. Reports problems.
 */
static void begin_section(struct reader *reader, const char *line)
{
	size_t length = strcspn(line, "]");
	struct error error = { 0 };

	reader->is_outside = true;
	if (line[length] != ']') {
		report(reader, "", "section header without ']', so its keys are ignored");
		return;
	}
	free(reader->name);
	reader->name = strndup(line, length);
	if (!reader->name) {
		reader->out_of_memory = true;
		return;
	}
	reader->is_outside = false;
	if (reader->section &&
	    reader->section(reader->data, &reader->position, reader->name, &error) < 0)
		report(reader, reader->name, error_text(&error));
}

/*
 * Handles a section header, and reports a line that libinih would reject or truncate.
 * libinih itself would return only the number of the first line that it rejects. Returns
 * whether the line is to be passed to libinih.
 */
static bool check_line(struct reader *reader, const char *line)
{
	size_t length = strlen(line);

	line += strspn(line, " \t");
	if (strchr(";#\r\n", line[0]) || line[0] == '\0')
		return true;
	if (line[0] == '[') {
		begin_section(reader, line + 1);
		return false;
	}
	if (length >= LINE_MAX_BYTES) {
		report(reader, "", "line is longer than 1000 bytes");
		return false;
	}
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

/* Whether the line, of `length` bytes, can be a text. Reports a line that cannot. */
static bool check_bytes(struct reader *reader, const char *line, size_t length)
{
	if (strlen(line) == length)
		return true;
	/* It may have been a header. */
	reader->is_outside |= line[strspn(line, " \t")] == '[';
	report(reader, "", "line contains a NUL byte");
	return false;
}

/* Passes the next line to libinih; an empty one in place of a line that is not for it. */
static char *read_line(char *line, int size, void *data)
{
	struct reader *reader = data;
	ssize_t length = getline(&reader->line, &reader->line_size, reader->file);

	if (length < 0) {
		reader->out_of_memory |= !feof(reader->file) && !ferror(reader->file);
		return NULL;
	}
	reader->position.line++;
	if (check_bytes(reader, reader->line, (size_t)length)) {
		if (reader->position.line == 1)
			drop_byte_order_mark(reader->line);
		if (check_line(reader, reader->line)) {
			snprintf(line, (size_t)size, "%s", reader->line);
			return line;
		}
	}
	strcpy(line, "\n");
	return line;
}

static int on_key(void *data, const char *section, const char *key, const char *value)
{
	struct reader *reader = data;
	struct error error = { 0 };
	int r;

	(void)section;
	if (reader->is_outside)
		return 1;
	r = reader->handler(reader->data, &reader->position, reader->name ? reader->name : "", key,
			    value, &error);
	if (r < 0)
		report(reader, key, error_text(&error));
	return 1;
}

int ini_file_parse(const char *path, ini_handler_fn handler, ini_problem_fn problem, void *data,
		   struct error *error)
{
	return ini_file_parse_sections(path, NULL, handler, problem, data, error);
}

/* Whether the file is /dev/null, to which a link masks a file. */
static bool is_null_device(const struct stat *info)
{
	return S_ISCHR(info->st_mode) && info->st_rdev == makedev(1, 3);
}

/*
 * Opens a file whose reading cannot block: not a FIFO, a socket or another device.
 * Returns 0, -ENOENT if there is nothing at `path`, or a negative errno with `error` set.
 */
static int open_file(const char *path, FILE **ret_file, struct error *error)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int number = fd < 0 ? -errno : 0;
	struct stat info;

	if (number == -ENOENT && lstat(path, &info) == 0)
		return error_set(error, -ENOLINK,
				 "cannot read %s: it is a link to a file that does not exist",
				 path);
	if (number == -ENOENT)
		return -ENOENT;
	if (number == 0 && fstat(fd, &info) < 0)
		number = -errno;
	if (number < 0)
		return error_set(error, number, "cannot read %s: %s", path, strerror(-number));
	if (!S_ISREG(info.st_mode) && !is_null_device(&info))
		return error_set(error, S_ISDIR(info.st_mode) ? -EISDIR : -EINVAL,
				 "cannot read %s: it is no regular file", path);
	if (info.st_size > FILE_MAX_BYTES)
		return error_set(error, -EFBIG, "cannot read %s: it is larger than 16 MiB", path);
	*ret_file = fdopen(fd, "r");
	if (!*ret_file)
		return error_set(error, -errno, "cannot read %s: %s", path, strerror(errno));
	fd = -EBADF; /* closed with the stream */
	return 0;
}

int ini_file_parse_sections(const char *path, ini_section_fn section, ini_handler_fn handler,
			    ini_problem_fn problem, void *data, struct error *error)
{
	_cleanup_(fclosep) FILE *file = NULL;
	struct reader reader = {
		.position.file = path,
		.section = section,
		.handler = handler,
		.problem = problem,
		.data = data,
	};
	static char inline_comments[] = ";#";
	int r;

	assert(path && handler && problem);
	r = open_file(path, &file, error);
	if (r < 0)
		return r;
	reader.file = file;
	ini_use_stack = false;
	ini_max_line = LINE_MAX_BYTES;
	ini_initial_alloc = LINE_MAX_BYTES;
	ini_allow_multiline = false;
	ini_inline_comment_prefixes = inline_comments;
	r = ini_parse_stream(read_line, &reader, on_key, &reader);
	free(reader.line);
	free(reader.name);
	if (r == -2 || reader.out_of_memory)
		return error_set(error, -ENOMEM, "cannot read %s: out of memory", path);
	if (ferror(file))
		return error_set(error, -EIO, "cannot read %s: %s", path, strerror(EIO));
	if (r != 0 && !reader.broken)
		report(&reader, "", "syntax error");
	return reader.broken ? -EBADMSG : 0;
}
