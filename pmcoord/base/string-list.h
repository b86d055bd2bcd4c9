/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_STRING_LIST_H
#define PMCOORD_BASE_STRING_LIST_H

/* Growing lists of strings. */

#include <stddef.h>

/* A NULL-terminated list that owns its strings. Initialise with zeros. */
struct string_list {
	char **texts; /* NULL: empty */
	size_t n;
};

/* Appends a copy of the first `length` bytes of `text`. Returns 0 or -ENOMEM. */
int string_list_add(struct string_list *list, const char *text, size_t length);

/* Sorts the strings by strcmp(3). */
void string_list_sort(struct string_list *list);

/* Frees the strings. `list` may be NULL. */
void string_list_done(struct string_list *list);

#endif
