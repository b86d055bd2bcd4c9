/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_TABLE_H
#define PMCOORD_BASE_TABLE_H

/*
 * Tables, printed by libsmartcols. On a terminal that is too narrow, dispensable
 * columns are omitted and the last one is truncated; in a pipe nothing is.
 */

#include <stdbool.h>
#include <stdio.h>

struct table_column {
	const char *title;
	bool is_number; /* right-aligned */
	bool is_optional; /* omitted if it is empty in every line */
};

struct table;

/*
 * `columns` is borrowed and ends with a NULL title. Returns 0 or -ENOMEM; free
 * with table_free.
 */
int table_new(const struct table_column *columns, FILE *out, struct table **ret_table);
void table_free(struct table *table);
void table_freep(struct table **table);

/*
 * Adds a line; `cells` has one (copied) string per column. NULL and "" are
 * printed as "-", so that fields can be counted, except in the last column.
 * Returns 0 or -ENOMEM.
 */
int table_add_line(struct table *table, const char *const *cells);

/*
 * Sets the titles of the columns to omit on a narrow terminal, in this order;
 * borrowed, NULL-terminated.
 */
void table_set_optional(struct table *table, const char *const *titles);

/* Prints all lines to the table's `out`. Returns 0 or a negative errno. */
int table_print(struct table *table);

#endif
