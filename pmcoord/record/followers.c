/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/followers.h"

#include <errno.h>
#include <stdlib.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"

struct followed {
	uint64_t number;
	struct journal_follower *follower; /* NULL: the journal is damaged */
};

void followers_done(struct followers *followers)
{
	for (size_t i = 0; i < followers->n_journals; i++)
		journal_follower_free(followers->journals[i].follower);
	free(followers->journals);
	followers->journals = NULL;
	followers->n_journals = 0;
}

static struct followed *find(struct followers *followers, uint64_t number)
{
	for (size_t i = 0; i < followers->n_journals; i++)
		if (followers->journals[i].number == number)
			return &followers->journals[i];
	return NULL;
}

static int add(struct followers *followers, uint64_t number)
{
	struct followed added = { .number = number };
	int r = array_grow(&followers->journals, followers->n_journals, sizeof(added));

	if (r == 0)
		r = journal_follow(followers->directory, number, &added.follower, NULL);
	if (r == 0)
		followers->journals[followers->n_journals++] = added;
	return r;
}

static void read_more(struct followed *followed, journal_observer_fn observer, void *data)
{
	if (!followed->follower || journal_follower_read(followed->follower, observer, data) == 0)
		return;
	journal_follower_free(followed->follower);
	followed->follower = NULL;
}

int followers_read(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data)
{
	int r = find(followers, number) ? 0 : add(followers, number);

	if (r == 0)
		read_more(find(followers, number), observer, data);
	return r;
}

void followers_read_known(struct followers *followers, journal_observer_fn observer, void *data)
{
	for (size_t i = 0; i < followers->n_journals; i++)
		read_more(&followers->journals[i], observer, data);
}

int followers_read_directory(struct followers *followers, journal_observer_fn observer, void *data)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = journal_list(followers->directory, &numbers);

	for (int i = 0; i < n; i++) {
		int r = followers_read(followers, numbers[i], observer, data);

		/* A journal that was removed meanwhile is no error. */
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return n < 0 ? n : 0;
}

bool followers_end(struct followers *followers, uint64_t number, journal_observer_fn observer,
		   void *data)
{
	struct followed *followed = find(followers, number);

	if (!followed)
		return false;
	read_more(followed, observer, data);
	journal_follower_free(followed->follower);
	*followed = followers->journals[--followers->n_journals];
	return true;
}
