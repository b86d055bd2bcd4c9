/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/table.h"

#include <assert.h>
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "pmcoord/cleanup.h"

struct table {
	const struct table_column *columns;
	size_t n_columns;
	bool *used; /* per column: whether any cell has text */
	size_t *widths; /* per column: width of the widest cell */
	const char *const *dispensable; /* see table_set_dispensable(); NULL: none */
	size_t terminal_width; /* 0: `out` is not a terminal */
	FILE *out;
	struct libscols_table *scols;
};

/*
 * The last column may be truncated to this many characters. If a line still does not
 * fit the terminal, dispensable columns are omitted.
 */
#define LAST_COLUMN_MIN 30

void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->scols);
	free(table->used);
	free(table->widths);
	free(table);
}

void table_freep(struct table **table)
{
	table_free(*table);
	*table = NULL;
}

static int add_columns(struct table *table)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		const struct table_column *column = &table->columns[i];
		bool is_last = i + 1 == table->n_columns;
		int flags =
			(column->is_number ? SCOLS_FL_RIGHT : 0) | (is_last ? SCOLS_FL_TRUNC : 0);

		if (!scols_table_new_column(table->scols, column->title, is_last ? 0.1 : 0, flags))
			return -ENOMEM;
	}
	return 0;
}

static size_t width_of_terminal(FILE *out)
{
	struct winsize size = { 0 };
	int fd = fileno(out);

	if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

/*
 * Reads the width of the terminal `out` and passes it to libsmartcols, which would
 * otherwise take the width of standard output.
 */
static void set_width(struct table *table)
{
	table->terminal_width = width_of_terminal(table->out);
	if (table->terminal_width)
		scols_table_set_termwidth(table->scols, table->terminal_width);
	scols_table_set_termforce(table->scols, table->terminal_width ? SCOLS_TERMFORCE_ALWAYS
								      : SCOLS_TERMFORCE_NEVER);
}

/*
 * Returns the width in terminal columns, or in bytes if the text is very long or not
 * valid in this locale.
 */
static size_t width_of(const char *text)
{
	wchar_t wide[256];
	size_t n = mbstowcs(wide, text, ELEMENTSOF(wide));
	int width = n < ELEMENTSOF(wide) ? wcswidth(wide, n) : -1;

	return width < 0 ? strlen(text) : (size_t)width;
}

int table_new(const struct table_column *columns, FILE *out, struct table **ret_table)
{
	_cleanup_(table_freep) struct table *table = calloc(1, sizeof(*table));

	assert(columns && out && ret_table);
	if (!table)
		return -ENOMEM;
	/*
	 * Guests can have non-ASCII names, so set LC_CTYPE. Set no other category, so
	 * that numbers keep the format of the C locale. main() does not set the locale,
	 * because the daemon prints no tables, and a locale takes memory.
	 */
	setlocale(LC_CTYPE, "");
	table->columns = columns;
	while (columns[table->n_columns].title)
		table->n_columns++;
	table->used = calloc(table->n_columns, sizeof(*table->used));
	table->widths = calloc(table->n_columns, sizeof(*table->widths));
	table->scols = scols_new_table();
	if (!table->used || !table->widths || !table->scols)
		return -ENOMEM;
	table->out = out;
	set_width(table);
	for (size_t i = 0; i < table->n_columns; i++)
		table->widths[i] = width_of(columns[i].title);
	if (add_columns(table) < 0)
		return -ENOMEM;
	*ret_table = TAKE_PTR(table);
	return 0;
}

int table_add_line(struct table *table, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	assert(cells);
	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_columns; i++) {
		bool is_empty = !cells[i] || !cells[i][0];
		const char *empty = i + 1 == table->n_columns ? "" : "-";

		table->used[i] |= !is_empty;
		if (!is_empty && width_of(cells[i]) > table->widths[i])
			table->widths[i] = width_of(cells[i]);
		if (scols_line_set_data(line, i, is_empty ? empty : cells[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

void table_set_dispensable(struct table *table, const char *const *titles)
{
	assert(table);
	table->dispensable = titles;
}

static bool is_hidden(struct table *table, size_t column)
{
	return scols_column_is_hidden(scols_table_get_column(table->scols, column));
}

static void hide(struct table *table, size_t column)
{
	struct libscols_column *scols = scols_table_get_column(table->scols, column);

	scols_column_set_flags(scols, scols_column_get_flags(scols) | SCOLS_FL_HIDDEN);
}

/* Returns the width of a line whose last column is truncated to LAST_COLUMN_MIN. */
static size_t least_width(struct table *table)
{
	size_t total = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		size_t width = table->widths[i];

		if (is_hidden(table, i))
			continue;
		if (i + 1 == table->n_columns && width > LAST_COLUMN_MIN)
			width = LAST_COLUMN_MIN;
		total += width + (total > 0);
	}
	return total;
}

static void hide_dispensable(struct table *table)
{
	const char *const *title = table->dispensable;

	for (; title && *title && least_width(table) > table->terminal_width; title++)
		for (size_t i = 0; i < table->n_columns; i++)
			if (strcmp(table->columns[i].title, *title) == 0)
				hide(table, i);
}

/* Prints the lines without the spaces that libsmartcols appends to the last column. */
static int print_trimmed(const char *text, FILE *out)
{
	while (*text) {
		size_t length = strcspn(text, "\n"), trimmed = length;

		while (trimmed > 0 && text[trimmed - 1] == ' ')
			trimmed--;
		fwrite(text, 1, trimmed, out);
		fputc('\n', out);
		text += length + (text[length] == '\n');
	}
	return ferror(out) ? -EIO : 0;
}

int table_print(struct table *table)
{
	_cleanup_(freep) char *text = NULL;
	int r;

	assert(table);
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i].is_optional && !table->used[i])
			hide(table, i);
	if (table->terminal_width)
		hide_dispensable(table);
	r = scols_print_table_to_string(table->scols, &text);
	if (r < 0)
		return r;
	/* If memory runs out, libsmartcols may return 0 but no text. */
	return text ? print_trimmed(text, table->out) : -ENOMEM;
}
