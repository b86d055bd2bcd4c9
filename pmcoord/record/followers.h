/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_FOLLOWERS_H
#define PMCOORD_RECORD_FOLLOWERS_H

/* The journals of a directory, read while their coordinators write them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/journal.h"

struct followed;

/* Set `directory` (borrowed), zero the rest. Release: followers_done. */
struct followers {
	const char *directory;
	struct followed *journals;
	size_t n_journals;
};

void followers_done(struct followers *followers);

/*
 * Calls `observer` (may be NULL) for each new record of a cycle's journal; at
 * the first call for all its records. A damaged journal is not read again.
 * Returns 0, -ENOENT if there is no such journal and none was followed, or
 * another negative errno.
 */
int followers_read(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data);

/* Likewise for all followed journals, including removed ones. */
void followers_read_known(struct followers *followers, journal_observer_fn observer, void *data);

/* Likewise for all journals in the directory. */
int followers_read_directory(struct followers *followers, journal_observer_fn observer, void *data);

/* Reads the rest of a removed journal. Returns whether it was followed. */
bool followers_end(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data);

#endif
