/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_FOLLOWERS_H
#define PMCOORD_RECORD_FOLLOWERS_H

/* The journals of a directory, read while their coordinators write them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/journal.h"

struct followed;

/* To be set up with its directory (borrowed); release: followers_done. */
struct followers {
	const char *directory;
	struct followed *journals;
	size_t n_journals;
};

void followers_done(struct followers *followers);

/*
 * Takes what is new in a cycle's journal, telling `observer` (may be NULL) of
 * each record; the first time, all that is there. What turns out to be no
 * journal is not read again. Returns 0, -ENOENT if there is none and never was,
 * or another negative errno.
 */
int followers_read(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data);

/* Likewise for all that are followed already, also those whose file is gone. */
void followers_read_known(struct followers *followers, journal_observer_fn observer, void *data);

/* Likewise for all that are in the directory. */
int followers_read_directory(struct followers *followers, journal_observer_fn observer, void *data);

/* The file is gone: takes the rest. Returns whether it was followed. */
bool followers_end(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data);

#endif
