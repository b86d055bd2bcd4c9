/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_SEARCH_H
#define TESTS_WORLDS_SEARCH_H

/* Many worlds: random ones, and those that were kept. */

#include <stdint.h>

#include "tests/worlds/backend.h"
#include "tests/worlds/known.h"

struct search {
	const struct backend *backend;
	uint64_t seed, count; /* the seeds are seed, seed + 1, … */
	const char *kept; /* directory of the kept worlds; known/ is in it */
	const char *found; /* where shrunk worlds are written; NULL: nowhere */
	struct known_list known;
	uint64_t n_known; /* complaints that are known */
};

/* Opens the back end and reads the known violations. Returns 0 or -1 with a message. */
int search_open(struct search *search);
void search_close(struct search *search);

/*
 * Each of these prints what it finds, and returns the number of complaints that are
 * not known (search_run), of worlds that do not end as they should (search_replay_kept),
 * or of worlds with any complaint (search_replay).
 */
int search_run(struct search *search);
int search_replay_kept(struct search *search);
int search_replay(struct search *search, char **files);

#endif
