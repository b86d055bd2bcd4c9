/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_HISTORY_H
#define TESTS_WORLDS_HISTORY_H

/*
 * What happened in a world: the log of the machine, and what each command printed,
 * returned and wrote. The laws are judged by this alone (laws.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/worlds/world.h"

enum happening_type {
	/* by pmcoord */
	HAPPENS_REQUESTED,
	HAPPENS_REQUEST_FAILED,
	HAPPENS_RETRACTED,
	HAPPENS_RETRACT_FAILED,
	HAPPENS_PAUSED,
	HAPPENS_PAUSE_FAILED,
	HAPPENS_UNPAUSED,
	HAPPENS_UNPAUSE_FAILED,
	HAPPENS_RESUMED,
	HAPPENS_RESUME_FAILED,
	/* by the guest or its agent */
	HAPPENS_ACKNOWLEDGED,
	HAPPENS_ARMED,
	HAPPENS_QUIESCED,
	HAPPENS_SUSPENDED,
	HAPPENS_DIED,
	HAPPENS_REFUSED,
	HAPPENS_RESTORED,
	HAPPENS_BOOTED,
	/* by others */
	HAPPENS_SAVED,
	HAPPENS_GONE,
	HAPPENS_REBOOTED,
	HAPPENS_APPEARED,
	HAPPENS_CREATED, /* its toolstack begins to build it, and keeps it paused */
	HAPPENS_BUILT, /* its toolstack has unpaused it for the first time */
	HAPPENS_USER_PAUSED,
	HAPPENS_LEAVES, /* its toolstack has it shut down or reboot */
	HAPPENS_SAVE_BEGINS, /* or a migration */
	HAPPENS_SAVE_ENDS, /* and the domain is there as before */
	HAPPENS_SAVE_BROKEN, /* the domain ran while its image was written */
	/* to the host */
	HAPPENS_SLEEP,
	HAPPENS_WAKE,
	HAPPENS_SLEEP_REFUSED,
	HAPPENS_N_TYPES,
};

struct happening {
	uint64_t at_us; /* virtual time */
	enum happening_type type;
	int guest; /* index in world.guests; -1: the host */
};

/* The outcome of a step. */
struct outcome {
	int code; /* exit code; 128 + signal if a signal ended the command; 0: no command */
	bool was_killed; /* the signal was the world's own */
	char *out, *err; /* what the command printed; NULL: no command */
	char *report; /* the report of a new cycle, if the step has written one; else NULL */
	uint64_t start_us, end_us; /* virtual time */
	size_t first, end; /* happenings of the step: first <= i < end */
};

struct history {
	const struct world *world;
	struct happening *happenings;
	size_t n_happenings;
	struct outcome outcomes[WORLD_STEPS_MAX]; /* one per step of the world */
	size_t n_outcomes;
};

/* Frees the contents of `history`. */
void history_done(struct history *history);

/*
 * Appends the happenings of a text: lines of a time, a word and a name. Returns 0, or
 * -1 for a line that is no happening.
 */
int history_add_lines(struct history *history, const char *text);

const char *happening_word(enum happening_type type);

/* Prints the steps with their happenings, exit codes and messages, for people. */
void history_print(const struct history *history);

#endif
