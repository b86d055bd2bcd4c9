/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/string-list.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int string_list_add(struct string_list *list, const char *text, size_t length)
{
	char **texts = reallocarray(list->texts, list->n + 2, sizeof(*list->texts));

	assert(text);
	if (!texts)
		return -ENOMEM;
	list->texts = texts;
	texts[list->n] = strndup(text, length);
	if (!texts[list->n])
		return -ENOMEM; /* the NULL that strndup returned terminates the list */
	texts[++list->n] = NULL;
	return 0;
}

int string_list_add_directory(struct string_list *list, const char *path,
			      int (*filter)(const struct dirent *))
{
	struct dirent **entries;
	int n = scandir(path, &entries, filter, alphasort), r = 0;

	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = string_list_add(list, entries[i]->d_name, strlen(entries[i]->d_name));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void string_list_sort(struct string_list *list)
{
	if (list->n > 0)
		qsort(list->texts, list->n, sizeof(*list->texts), compare);
}

void string_list_done(struct string_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++)
		free(list->texts[i]);
	free(list->texts);
	*list = (struct string_list){ 0 };
}
