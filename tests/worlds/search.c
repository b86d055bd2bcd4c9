/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/search.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "tests/worlds/cause.h"
#include "tests/worlds/laws.h"
#include "tests/worlds/shrink.h"
#include "tests/worlds/world-file.h"

/* The longest that a world may take in this process, in seconds. */
#define WORLD_TIME_LIMIT 60

/* ---- one world ---------------------------------------------------------- */

/* Lets a world happen, and judges it. Returns 0, or -1 if it could not happen. */
static int judge_world(const struct search *search, const struct world *world,
		       struct verdict *ret_verdict)
{
	struct history history;

	if (search->backend->run(world, &history) < 0)
		return -1;
	laws_judge(&history, ret_verdict);
	history_done(&history);
	return 0;
}

static bool has_complaint(const struct verdict *verdict, const struct complaint *wanted)
{
	for (size_t i = 0; i < verdict->n; i++) {
		const struct complaint *complaint = &verdict->complaints[i];

		if (complaint->law == wanted->law && complaint->guest == wanted->guest &&
		    strcmp(complaint->kind, wanted->kind) == 0)
			return true;
	}
	return false;
}

/*
 * A complaint is known if lines have its law, its kind, and only words that it has, too, and
 * if it is gone in the same world without what these words stand for. Else it has another cause,
 * and is new.
 */
static bool is_known(const struct search *search, const struct world *world,
		     const struct complaint *complaint)
{
	static struct world without;
	struct verdict verdict;
	char words[4 * CAUSE_MAX] = "";
	size_t used = 0;

	for (size_t i = 0; i < search->known.n; i++) {
		const struct known *known = &search->known.items[i];

		if (known_matches(known, complaint) && used + CAUSE_MAX < sizeof(words))
			used += (size_t)snprintf(words + used, sizeof(words) - used, "%s ",
						 known->cause);
	}
	if (used == 0 || search->backend->is_random)
		return used > 0;
	without = *world;
	cause_remove(&without, complaint->step, complaint->guest, words);
	return judge_world(search, &without, &verdict) == 0 && !has_complaint(&verdict, complaint);
}

/* What world_shrink looks for. */
struct target {
	const struct search *search;
	int law;
	const char *kind;
	char cause[CAUSE_MAX]; /* of the complaint in the smallest world so far */
	char text[200];
};

/* The same complaint, and not one that is known: shrinking must not drift to that. */
static bool has_target(const struct world *world, void *data)
{
	struct target *target = data;
	struct verdict verdict;

	if (judge_world(target->search, world, &verdict) < 0)
		return false;
	for (size_t i = 0; i < verdict.n; i++) {
		const struct complaint *complaint = &verdict.complaints[i];

		if (complaint->law != target->law || strcmp(complaint->kind, target->kind) != 0 ||
		    is_known(target->search, world, complaint))
			continue;
		snprintf(target->cause, sizeof(target->cause), "%s", complaint->cause);
		snprintf(target->text, sizeof(target->text), "%s", complaint->text);
		return true;
	}
	return false;
}

/* ---- what is found ------------------------------------------------------ */

/* Writes a shrunk world, and appends its line to the list beside it. */
static void write_found(const struct search *search, const struct target *target,
			const struct world *world, uint64_t seed)
{
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_(fclosep) FILE *list = NULL;
	char name[96], path[PATH_MAX];

	snprintf(name, sizeof(name), "%s-%" PRIu64 ".sim", target->kind, seed);
	snprintf(path, sizeof(path), "%s/%s", search->found, name);
	file = fopen(path, "we");
	snprintf(path, sizeof(path), "%s/LIST", search->found);
	list = fopen(path, "ae");
	if (!file || !list) {
		perror(path);
		return;
	}
	fprintf(file, "# SPDX-License-Identifier: LGPL-2.1-or-later\n# %s\n", target->text);
	world_print(world, file);
	fprintf(list, "%s %d %s %s\n", name, target->law, target->kind, target->cause);
}

/* From now on this complaint is known, so that each kind is shrunk once. */
static void learn(struct search *search, const struct target *target, uint64_t seed)
{
	struct known *items =
		reallocarray(search->known.items, search->known.n + 1, sizeof(*items));

	if (!items)
		return;
	search->known.items = items;
	items[search->known.n] = (struct known){ .law = target->law };
	snprintf(items[search->known.n].file, sizeof(items->file), "seed-%" PRIu64, seed);
	snprintf(items[search->known.n].kind, sizeof(items->kind), "%s", target->kind);
	snprintf(items[search->known.n].cause, sizeof(items->cause), "%s", target->cause);
	search->known.n++;
}

static void shrink_and_show(struct search *search, const struct complaint *complaint,
			    const struct world *world, uint64_t seed)
{
	static struct world small;
	struct target target = { .search = search, .law = complaint->law, .kind = complaint->kind };

	small = *world;
	printf("FOUND: law %d, %s: %s (seed %" PRIu64 ")\n", complaint->law, complaint->kind,
	       complaint->text, seed);
	if (!has_target(world, &target)) {
		printf("  it does not happen again: the world is not deterministic\n");
		return;
	}
	world_shrink(&small, has_target, &target);
	cause_shorten(target.cause);
	printf("  shrunk: %s\n  cause: %s\n", target.text, target.cause);
	world_print(&small, stdout);
	printf("\n");
	fflush(stdout);
	if (search->found)
		write_found(search, &target, &small, seed);
	learn(search, &target, seed);
}

/* ---- many worlds -------------------------------------------------------- */

static volatile uint64_t current_seed;

/* A crash or an endless loop in this process: says in which world. */
static void on_fatal_signal(int number)
{
	char text[96];
	int length = snprintf(text, sizeof(text), "\nsignal %d in the world of seed %" PRIu64 "\n",
			      number, current_seed);

	if (write(STDERR_FILENO, text, (size_t)length) < 0)
		_exit(1);
	_exit(1);
}

static void watch_signals(void)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM };

	for (size_t i = 0; i < ELEMENTSOF(signals); i++)
		signal(signals[i], on_fatal_signal);
}

/* Returns the number of complaints that are not known, or -1 if the world failed. */
static int search_seed(struct search *search, uint64_t seed)
{
	static struct world world;
	struct verdict verdict;
	int n = 0;

	current_seed = seed;
	alarm(WORLD_TIME_LIMIT);
	search->backend->generate(seed, &world);
	if (judge_world(search, &world, &verdict) < 0) {
		printf("seed %" PRIu64 ": the world could not happen\n", seed);
		return 1;
	}
	for (size_t i = 0; i < verdict.n; i++) {
		if (is_known(search, &world, &verdict.complaints[i])) {
			search->n_known++;
			continue;
		}
		n++;
		alarm(20 * WORLD_TIME_LIMIT);
		shrink_and_show(search, &verdict.complaints[i], &world, seed);
	}
	return n;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int search_run(struct search *search)
{
	double start = seconds(), took;
	int n = 0;

	watch_signals();
	for (uint64_t i = 0; i < search->count; i++)
		n += search_seed(search, search->seed + i);
	alarm(0);
	took = seconds() - start;
	printf("%" PRIu64 " worlds in %.1f s (%.0f a second): %d new complaints, %" PRIu64
	       " of %zu known kinds\n",
	       search->count, took, (double)search->count / took, n, search->n_known,
	       search->known.n);
	return n;
}

/* ---- kept worlds -------------------------------------------------------- */

static void print_complaint(const struct complaint *complaint)
{
	printf("  law %d, %s, step %zu: %s\n    cause: %s\n", complaint->law, complaint->kind,
	       complaint->step + 1, complaint->text, complaint->cause);
}

static int replay_file(struct search *search, const char *path)
{
	static struct world world;
	struct history history;
	struct verdict verdict;

	if (world_read(path, &world) < 0 || search->backend->run(&world, &history) < 0)
		return 1;
	printf("%s\n", path);
	history_print(&history);
	laws_judge(&history, &verdict);
	history_done(&history);
	for (size_t i = 0; i < verdict.n; i++)
		print_complaint(&verdict.complaints[i]);
	return verdict.n > 0;
}

int search_replay(struct search *search, char **files)
{
	int n = 0;

	for (; *files; files++)
		n += replay_file(search, *files);
	return n;
}

/* Whether the name of a kept world begins with the kind of the complaint that it once had. */
static bool is_kept_for(const char *path, const struct complaint *complaint)
{
	const char *name = strrchr(path, '/') + 1;
	size_t length = strlen(complaint->kind);

	return strncmp(name, complaint->kind, length) == 0 && name[length] == '-';
}

/*
 * A world that was kept after the fault was fixed: no complaint but known ones, and not the one
 * that it had, even if a similar one of other worlds is known.
 */
static int replay_fixed(struct search *search, const char *path)
{
	static struct world world;
	struct verdict verdict;
	int n = 0;

	if (world_read(path, &world) < 0 || judge_world(search, &world, &verdict) < 0)
		return 1;
	for (size_t i = 0; i < verdict.n; i++) {
		if (!is_kept_for(path, &verdict.complaints[i]) &&
		    is_known(search, &world, &verdict.complaints[i]))
			continue;
		printf("FAILED: %s\n", path);
		print_complaint(&verdict.complaints[i]);
		n++;
	}
	return n > 0;
}

static int is_world(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".sim") == 0;
}

static int replay_all_fixed(struct search *search, int *ret_n)
{
	struct dirent **entries;
	int n = scandir(search->kept, &entries, is_world, alphasort), failures = 0;

	*ret_n = n < 0 ? 0 : n;
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", search->kept, entries[i]->d_name);
		failures += replay_fixed(search, path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return failures;
}

/* A world of a known fault: it must still have the complaint of its line. */
static int replay_known(const struct search *search, const struct known *known)
{
	static struct world world;
	struct verdict verdict;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/known/%s", search->kept, known->file);
	if (world_read(path, &world) < 0 || judge_world(search, &world, &verdict) < 0)
		return 1;
	for (size_t i = 0; i < verdict.n; i++)
		if (known_matches(known, &verdict.complaints[i]))
			return 0;
	printf("FIXED: %s no longer has the complaint '%s' of law %d: move it to %s/, and remove its line from %s/known/LIST\n",
	       path, known->kind, known->law, search->kept, search->kept);
	return 1;
}

int search_replay_kept(struct search *search)
{
	int n_kept, failures;

	watch_signals();
	failures = replay_all_fixed(search, &n_kept);
	for (size_t i = 0; i < search->known.n; i++)
		failures += replay_known(search, &search->known.items[i]);
	printf("%d kept worlds, and %zu worlds of known faults: %d failures\n", n_kept,
	       search->known.n, failures);
	return failures;
}

int search_open(struct search *search)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/known/LIST", search->kept);
	if (known_read(path, &search->known) < 0)
		return -1;
	return search->backend->open();
}

void search_close(struct search *search)
{
	search->backend->close();
	known_done(&search->known);
}
