/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "tests/worlds/cause.h"

static int read_line(struct known_list *list, const char *line)
{
	struct known known = { 0 };

	if (sscanf(line, "%63s %d %39s %1023[^\n]", known.file, &known.law, known.kind,
		   known.cause) != 4 ||
	    array_grow(&list->items, list->n, sizeof(known)) < 0)
		return -1;
	list->items[list->n++] = known;
	return 0;
}

int known_read(const char *path, struct known_list *ret_list)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	char line[CAUSE_MAX + 128];

	*ret_list = (struct known_list){ 0 };
	while (file && fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n' || read_line(ret_list, line) == 0)
			continue;
		fprintf(stderr, "%s: this line cannot be read: %s", path, line);
		return -1;
	}
	return 0;
}

void known_done(struct known_list *list)
{
	free(list->items);
	*list = (struct known_list){ 0 };
}

bool known_matches(const struct known *known, const struct complaint *complaint)
{
	return known->law == complaint->law && strcmp(known->kind, complaint->kind) == 0 &&
	       cause_has_all(complaint->cause, known->cause);
}

const struct known *known_find(const struct known_list *list, const struct complaint *complaint)
{
	for (size_t i = 0; i < list->n; i++)
		if (known_matches(&list->items[i], complaint))
			return &list->items[i];
	return NULL;
}
