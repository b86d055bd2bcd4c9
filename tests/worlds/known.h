/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_KNOWN_H
#define TESTS_WORLDS_KNOWN_H

/*
 * Known violations: faults of pmcoord that are not fixed yet. Each has a line in a
 * file: the shrunk world that shows it, the law, the kind of the complaint, and the
 * words of its cause (cause.h). A complaint is known if a line has its law and kind,
 * and only words that it has, too.
 */

#include <stdbool.h>
#include <stddef.h>

#include "tests/worlds/laws.h"

struct known {
	char file[64]; /* in the directory of the list */
	int law;
	char kind[40];
	char cause[CAUSE_MAX];
};

struct known_list {
	struct known *items;
	size_t n;
};

/* Reads the list. A missing file is an empty list. Returns 0, or -1 with a message. */
int known_read(const char *path, struct known_list *ret_list);
void known_done(struct known_list *list);

/* Returns the first line that covers the complaint, or NULL. */
const struct known *known_find(const struct known_list *list, const struct complaint *complaint);
bool known_matches(const struct known *known, const struct complaint *complaint);

#endif
