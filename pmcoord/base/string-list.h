/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_STRING_LIST_H
#define PMCOORD_BASE_STRING_LIST_H

#include <stddef.h>

/* Texts of its own, in a list that ends with NULL. Begins as zeros. */
struct string_list {
	char **texts; /* NULL while there are none */
	size_t n;
};

/* Adds a copy of `length` bytes. Returns 0 or -ENOMEM. */
int string_list_add(struct string_list *list, const char *text, size_t length);

void string_list_sort(struct string_list *list);
void string_list_done(struct string_list *list);

#endif
