/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_FOLLOWERS_H
#define PMCOORD_RECORD_FOLLOWERS_H

/* The journals of a directory, read while their coordinators write them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/journal.h"

struct followed;

/*
 * The followed journals of a directory. The caller sets `directory`, which is
 * borrowed, and zeroes the other fields. Release: followers_done. In the
 * functions below, `observer` may be NULL.
 */
struct followers {
	const char *directory;
	struct followed *journals;
	size_t n_journals;
};

void followers_done(struct followers *followers);

/*
 * Reads the journal of cycle `number`, and calls `observer` for each record that
 * was not read before. A damaged journal is not read again. Returns 0, -ENOENT
 * if the journal does not exist and was not followed, or another negative errno.
 */
int followers_read(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data);

/*
 * Calls `observer` for each new record of the followed journals, even if their
 * files were removed.
 */
void followers_read_known(struct followers *followers, journal_observer_fn observer, void *data);

/*
 * Calls `observer` for each new record of all journals in the directory. Returns
 * 0 or a negative errno.
 */
int followers_read_directory(struct followers *followers, journal_observer_fn observer, void *data);

/*
 * To be called after the journal of cycle `number` was removed. Calls `observer`
 * for each new record of this journal, and then stops following the journal.
 * Returns false if the journal was not followed.
 */
bool followers_end(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data);

#endif
