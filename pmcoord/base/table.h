/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_TABLE_H
#define PMCOORD_BASE_TABLE_H

/*
 * Tables, printed by libsmartcols. On a terminal that is too narrow, dispensable
 * columns are omitted and the last column is truncated. If the output is not a
 * terminal, all columns are printed in full.
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
 * Makes a table without lines, to be printed to `out`. `columns` is borrowed and
 * ends with a NULL title. Returns 0 or -ENOMEM. Release: table_free.
 */
int table_new(const struct table_column *columns, FILE *out, struct table **ret_table);

/* `table` may be NULL. */
void table_free(struct table *table);

/* Frees *table and sets it to NULL, for _cleanup_. */
void table_freep(struct table **table);

/*
 * Adds a line with a copy of `cells`, one string per column. A cell that is NULL or "" is
 * printed as "-", so that a program can count the fields. In the last column such a cell
 * stays empty. Returns 0 or -ENOMEM.
 */
int table_add_line(struct table *table, const char *const *cells);

/*
 * Sets the titles of the dispensable columns. On a narrow terminal these columns are
 * omitted one by one, in this order, until a line fits. `titles` is NULL-terminated
 * and borrowed.
 */
void table_set_dispensable(struct table *table, const char *const *titles);

/* Prints all lines to the table's `out`. Returns 0 or a negative errno. */
int table_print(struct table *table);

#endif
