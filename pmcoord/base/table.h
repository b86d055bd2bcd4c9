/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_TABLE_H
#define PMCOORD_BASE_TABLE_H

/*
 * Tables by libsmartcols. On a terminal that is too narrow the less important
 * columns are left out, and the last one is cut to fit; in a pipe nothing is.
 * Optional columns in which no line has anything are left out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_column {
	const char *title;
	bool is_number; /* aligned to the right */
	bool is_optional; /* left out when it is empty in every line */
};

struct table;

/*
 * `columns` is borrowed, and ends with one without a title. Returns 0 or
 * -ENOMEM; free with table_free.
 */
int table_new(const struct table_column *columns, FILE *out, struct table **ret_table);
void table_free(struct table *table);
void table_freep(struct table **table);

/*
 * Adds a line of as many cells as there are columns (copied). NULL and "" are
 * empty; that shows as "-", so that columns can be counted, but in the last
 * column as nothing. Returns 0 or -ENOMEM.
 */
int table_add_line(struct table *table, const char *const *cells);

/*
 * The titles of columns that a narrow terminal can do without, the least
 * important first; borrowed, and ends with NULL.
 */
void table_set_optional(struct table *table, const char *const *titles);

/* Returns 0 or a negative errno. */
int table_print(struct table *table);

#endif
