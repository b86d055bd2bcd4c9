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
 * borrowed, and zeroes the other fields. Release: followers_done.
 */
struct followers {
	const char *directory;
	struct followed *journals;
	size_t n_journals;
};

void followers_done(struct followers *followers);

/*
 * Calls `observer`, unless it is NULL, for each record that was appended to the
 * journal of cycle `number` since this journal was last read; the first time,
 * for each record in the journal. A damaged journal is not read again. Returns
 * 0, -ENOENT if this journal does not exist and was not followed, or another
 * negative errno.
 */
int followers_read(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data);

/*
 * Calls `observer`, unless it is NULL, for each new record of the followed
 * journals, even if their files were removed.
 */
void followers_read_known(struct followers *followers, journal_observer_fn observer, void *data);

/*
 * Calls `observer`, unless it is NULL, for each new record of all journals in
 * the directory. Returns 0 or a negative errno.
 */
int followers_read_directory(struct followers *followers, journal_observer_fn observer, void *data);

/*
 * Calls `observer`, unless it is NULL, for each new record of the journal of
 * cycle `number`, whose file was removed. Then stops following this journal.
 * Returns false if the journal was not followed before this call.
 */
bool followers_end(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data);

#endif
