/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_STRING_LIST_H
#define PMCOORD_BASE_STRING_LIST_H

/* Growing lists of strings. */

#include <dirent.h>
#include <stddef.h>

/* A NULL-terminated list that owns its strings. Initialise with zeros. */
struct string_list {
	char **texts; /* NULL: empty */
	size_t n;
};

/* Appends a copy of the first `length` bytes of `text`. Returns 0 or -ENOMEM. */
int string_list_add(struct string_list *list, const char *text, size_t length);

/*
 * Appends the names of a directory's entries that `filter` accepts (see scandir(3)), sorted; none
 * if the directory is missing. Returns 0 or -ENOMEM.
 */
int string_list_add_directory(struct string_list *list, const char *path,
			      int (*filter)(const struct dirent *));

/* Sorts the strings by strcmp(3). */
void string_list_sort(struct string_list *list);

/* Frees the strings. `list` may be NULL. */
void string_list_done(struct string_list *list);

#endif
