/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/shrink.h"

#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"

struct shrink {
	struct world *world;
	struct world candidate; /* a copy of the world with something removed */
	still_fails_fn still_fails;
	void *data;
	bool any; /* something was removed in this round */
};

/* Takes the candidate if it still fails. */
static bool try_candidate(struct shrink *shrink)
{
	if (!shrink->still_fails(&shrink->candidate, shrink->data))
		return false;
	*shrink->world = shrink->candidate;
	shrink->any = true;
	return true;
}

/* ---- elements of arrays ------------------------------------------------- */

static void remove_step(struct world *world, size_t i)
{
	world->n_steps--;
	memmove(&world->steps[i], &world->steps[i + 1],
		(world->n_steps - i) * sizeof(world->steps[0]));
}

static void shrink_steps(struct shrink *shrink)
{
	/* Most steps come after the one that failed, so half of them is tried at once. */
	for (size_t n = shrink->world->n_steps / 2; n > 0; n /= 2) {
		shrink->candidate = *shrink->world;
		shrink->candidate.n_steps -= n;
		try_candidate(shrink);
	}
	for (size_t i = shrink->world->n_steps; i-- > 0;) {
		shrink->candidate = *shrink->world;
		remove_step(&shrink->candidate, i);
		try_candidate(shrink);
	}
}

static void shrink_config(struct shrink *shrink)
{
	for (size_t i = shrink->world->n_config; i-- > 0;) {
		struct world *candidate = &shrink->candidate;

		*candidate = *shrink->world;
		candidate->n_config--;
		memmove(candidate->config[i], candidate->config[i + 1],
			(candidate->n_config - i) * sizeof(candidate->config[0]));
		try_candidate(shrink);
	}
}

static void shrink_settings(struct shrink *shrink, struct settings *in_world,
			    struct settings *in_candidate)
{
	for (size_t i = in_world->n; i-- > 0;) {
		shrink->candidate = *shrink->world;
		settings_remove(in_candidate, i);
		try_candidate(shrink);
	}
}

/* ---- guests ------------------------------------------------------------- */

/* Removes the words that name a guest, with or without a device: "vbd:g1". */
static void remove_name(char *text, const char *name)
{
	char kept[WORLD_TEXT_MAX] = "";
	const char *rest = text, *word;
	size_t length, used = 0;

	while ((length = world_next_word(&rest, &word))) {
		const char *colon = memchr(word, ':', length);
		const char *found = colon ? colon + 1 : word;
		size_t n = length - (size_t)(found - word);

		if (n == strlen(name) && strncmp(found, name, n) == 0)
			continue;
		used += (size_t)snprintf(kept + used, sizeof(kept) - used, "%s%.*s",
					 used ? " " : "", (int)length, word);
	}
	snprintf(text, WORLD_TEXT_MAX, "%s", kept);
}

static void remove_name_from_settings(struct settings *settings, const char *name)
{
	static const char *const keys[] = { "Needs", "StubFor", "Claims", "ClaimsToServe" };

	for (size_t i = settings->n; i-- > 0;)
		for (size_t j = 0; j < ELEMENTSOF(keys); j++) {
			if (strcmp(settings->items[i].key, keys[j]) != 0)
				continue;
			remove_name(settings->items[i].value, name);
			if (!settings->items[i].value[0])
				settings_remove(settings, i);
			break;
		}
}

static void remove_guest(struct world *world, size_t i)
{
	char name[24];

	snprintf(name, sizeof(name), "%s", world->guests[i].name);
	world->n_guests--;
	memmove(&world->guests[i], &world->guests[i + 1],
		(world->n_guests - i) * sizeof(world->guests[0]));
	for (size_t j = 0; j < world->n_guests; j++)
		remove_name_from_settings(&world->guests[j].settings, name);
	for (size_t j = 0; j < world->n_steps; j++)
		if (step_is_command(&world->steps[j]))
			remove_name(world->steps[j].text, name);
}

static void shrink_guests(struct shrink *shrink)
{
	for (size_t i = shrink->world->n_guests; i-- > 0;) {
		shrink->candidate = *shrink->world;
		remove_guest(&shrink->candidate, i);
		try_candidate(shrink);
	}
	for (size_t i = shrink->world->n_guests; i-- > 0;)
		shrink_settings(shrink, &shrink->world->guests[i].settings,
				&shrink->candidate.guests[i].settings);
}

/* ---- commands ----------------------------------------------------------- */

/* Removes the n-th word after the command. Returns false if there is none. */
static bool remove_word(char *text, size_t n)
{
	char kept[WORLD_TEXT_MAX] = "";
	const char *rest = text, *word;
	size_t length, used = 0, i = 0;
	bool found = false;

	while ((length = world_next_word(&rest, &word))) {
		if (i++ == n) {
			found = true;
			continue;
		}
		used += (size_t)snprintf(kept + used, sizeof(kept) - used, "%s%.*s",
					 used ? " " : "", (int)length, word);
	}
	snprintf(text, WORLD_TEXT_MAX, "%s", kept);
	return found;
}

static void shrink_words(struct shrink *shrink, size_t step)
{
	for (size_t n = 8; n > 0; n--) {
		shrink->candidate = *shrink->world;
		if (remove_word(shrink->candidate.steps[step].text, n))
			try_candidate(shrink);
	}
}

/* A command that is killed becomes one that is not, or is killed earlier. */
static void shrink_kill(struct shrink *shrink, size_t step)
{
	uint64_t number = shrink->world->steps[step].number;

	if (shrink->world->steps[step].type != STEP_KILL)
		return;
	shrink->candidate = *shrink->world;
	shrink->candidate.steps[step].type = STEP_RUN;
	shrink->candidate.steps[step].number = 0;
	if (try_candidate(shrink))
		return;
	for (uint64_t earlier = number / 2; earlier < number;
	     earlier += 1 + (number - earlier) / 4) {
		shrink->candidate = *shrink->world;
		shrink->candidate.steps[step].number = earlier;
		if (try_candidate(shrink))
			return;
	}
}

void world_shrink(struct world *world, still_fails_fn still_fails, void *data)
{
	static struct shrink shrink;

	shrink = (struct shrink){
		.world = world,
		.still_fails = still_fails,
		.data = data,
		.any = true,
	};
	while (shrink.any) {
		shrink.any = false;
		shrink_steps(&shrink);
		shrink_guests(&shrink);
		shrink_config(&shrink);
		shrink_settings(&shrink, &world->host, &shrink.candidate.host);
		for (size_t i = 0; i < world->n_steps; i++)
			if (step_is_command(&world->steps[i])) {
				shrink_words(&shrink, i);
				shrink_kill(&shrink, i);
			}
	}
}
