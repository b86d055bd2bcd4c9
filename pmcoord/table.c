/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"

struct table {
	const struct table_column *columns;
	size_t n_columns;
	bool *used; /* per column */
	struct libscols_table *scols;
};

void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->scols);
	free(table->used);
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
		int flags = (column->is_number ? SCOLS_FL_RIGHT : 0) |
			    (is_last ? SCOLS_FL_TRUNC : 0);

		if (!scols_table_new_column(table->scols, column->title,
					    is_last ? 0.1 : 0, flags))
			return -ENOMEM;
	}
	return 0;
}

/* libsmartcols itself would look at standard output, whatever `out` is. */
static void fit(struct libscols_table *scols, FILE *out)
{
	int fd = fileno(out);
	bool is_terminal = fd >= 0 && isatty(fd);

	scols_table_set_stream(scols, out);
	scols_table_set_termforce(scols, is_terminal ? SCOLS_TERMFORCE_ALWAYS
						     : SCOLS_TERMFORCE_NEVER);
}

int table_new(const struct table_column *columns, FILE *out,
	      struct table **ret_table)
{
	_cleanup_(table_freep) struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->columns = columns;
	while (columns[table->n_columns].title)
		table->n_columns++;
	table->used = calloc(table->n_columns, sizeof(*table->used));
	table->scols = scols_new_table();
	if (!table->used || !table->scols)
		return -ENOMEM;
	fit(table->scols, out);
	if (add_columns(table) < 0)
		return -ENOMEM;
	*ret_table = TAKE_PTR(table);
	return 0;
}

int table_add_line(struct table *table, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_columns; i++) {
		bool is_empty = !cells[i] || !cells[i][0];
		const char *empty = i + 1 == table->n_columns ? "" : "-";

		table->used[i] |= !is_empty;
		if (scols_line_set_data(line, i, is_empty ? empty : cells[i]) <
		    0)
			return -ENOMEM;
	}
	return 0;
}

int table_print(struct table *table)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		struct libscols_column *column =
			scols_table_get_column(table->scols, i);

		if (table->columns[i].is_optional && !table->used[i])
			scols_column_set_flags(column,
					       scols_column_get_flags(column) |
						       SCOLS_FL_HIDDEN);
	}
	return scols_print_table(table->scols);
}
