/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_LAWS_H
#define TESTS_WORLDS_LAWS_H

/*
 * The laws of pmcoord, judged from outside: by what happened in a world, and by what
 * the program printed, returned and wrote. Shares no code with the engine.
 */

#include <stddef.h>

#include "tests/worlds/domains.h"
#include "tests/worlds/history.h"

#define COMPLAINTS_MAX 48
#define CAUSE_MAX 1024

struct complaint {
	int law; /* as numbered in the design; 0: the contract of commands */
	char kind[40]; /* a short name, e.g. "left-suspended" */
	int guest; /* -1: none */
	size_t step;
	char text[200]; /* a sentence */
	/*
	 * What the complaint may come from, as words: the command, settings of the
	 * guest, damages, kills. See cause_describe.
	 */
	char cause[CAUSE_MAX];
};

struct verdict {
	struct complaint complaints[COMPLAINTS_MAX];
	size_t n;
};

/* Judges a history. Complaints beyond COMPLAINTS_MAX are dropped. */
void laws_judge(const struct history *history, struct verdict *ret_verdict);

/* ---- for the laws-*.c --------------------------------------------------- */

struct judge {
	const struct history *history;
	struct domains domains;
	size_t step;
	struct verdict *verdict;
};

/* Adds a complaint about the current step. `guest` -1: none. One per kind, guest and step. */
void judge_complain(struct judge *judge, int law, const char *kind, int guest, const char *format,
		    ...) __attribute__((__format__(printf, 5, 6)));

/* The step and its outcome that are judged now. */
const struct world_step *judge_step(const struct judge *judge);
const struct outcome *judge_outcome(const struct judge *judge);
const char *judge_name(const struct judge *judge, int guest);

/* Whether a call of a verb about the guest, or about any guest, may fail in this world. */
bool judge_may_fail(const struct judge *judge, int guest);

/* Whether the program may be unable to read the state of the guest. */
bool judge_cannot_look(const struct judge *judge, int guest);

/* Laws 1 and 3: judge a happening before it is applied to the domains. */
void judge_order(struct judge *judge, const struct happening *happening);
void judge_touch(struct judge *judge, const struct happening *happening);

/* Judge a step that has ended, after all of its happenings. */
void judge_held(struct judge *judge);
void judge_deadline(struct judge *judge);
void judge_truth(struct judge *judge);
void judge_codes(struct judge *judge);
void judge_report(struct judge *judge);
void judge_status(struct judge *judge);

#endif
