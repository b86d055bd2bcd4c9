/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_JOURNAL_H
#define GUEST_AGENT_ENGINE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/files.h"
#include "pmcoord/error.h"
#include "pmcoord/protocol.h"

/*
 * The journal of a cycle: each change that it makes in this guest, recorded on /run
 * before the change is made. Restoring undoes the effects from the last to the first,
 * whether the cycle succeeded, failed, or was left by an agent that died.
 *
 *   <run>/journal   "cycle <n>", "effect <kind> <text>" …, "undone <index>" …
 *   <run>/done      "<state> <n>", then the detail: how the last cycle ended
 *   <run>/lock      locked (fcntl) while a cycle or a self-test runs
 *
 * An effect may be recorded that was not made, because the agent died in between, so
 * undoing must check the state first.
 */

/* The words of the file are in journal.c. */
enum effect_kind {
	EFFECT_HOOK, /* text: the hook's name */
	EFFECT_MANAGER, /* text: the network manager's name */
	EFFECT_FREEZE, /* text: the cgroup */
	EFFECT_DEVICE, /* text: "<address> <driver>" */
	EFFECT_MODULE, /* text: the module's name */
	EFFECT_FREEZE_TIMEOUT, /* text: the former pm_freeze_timeout in ms */
};

#define EFFECT_TEXT_MAX 160

struct effect {
	enum effect_kind kind;
	bool undone;
	char text[EFFECT_TEXT_MAX];
};

struct journal {
	const struct roots *roots;
	int lock_fd; /* -1: not locked */
	int fd; /* of <run>/journal, or -1 */
	bool open; /* a cycle was started and is not finished */
	uint64_t cycle;
	struct effect *effects;
	size_t n_effects;
	/* The final state and detail of the last cycle. */
	struct protocol_state done;
	char detail[PROTOCOL_DETAIL_MAX + 1];
};

/* The word of a kind in the file and in messages: "hook", "freeze", …. */
const char *effect_kind_name(enum effect_kind kind);

/*
 * Reads the files on /run, and creates the directory where needed. Afterwards `open`
 * is true if an earlier agent has left a cycle unfinished. Returns 0 or negative
 * errno.
 */
int journal_load(struct journal *ret, const struct roots *roots, struct error *error);

/*
 * Takes the lock, or keeps it if it is taken already. Returns 0; -EBUSY if another
 * agent process (such as --test) has it; or another negative errno.
 */
int journal_lock(struct journal *journal, struct error *error);

/*
 * Starts a cycle, taking the lock. Returns 0; -EBUSY if the lock is taken, or if the
 * effects of an unfinished cycle, which are then loaded, must be undone first; or
 * another negative errno.
 */
int journal_begin(struct journal *journal, uint64_t cycle, struct error *error);

/*
 * Records an effect that is about to be made. Returns 0, or negative errno: then it
 * must not be made.
 */
int journal_add(struct journal *journal, enum effect_kind kind, const char *text,
		struct error *error);

/* Records that effect `index` has been undone, or cannot be. */
void journal_undone(struct journal *journal, size_t index);

/*
 * Ends the cycle and removes its effects. `done` and `detail` are recorded for the
 * next agent process; with NULL (a self-test) those of the last cycle remain.
 * Releases the lock. Returns 0 or negative errno.
 */
int journal_finish(struct journal *journal, const struct protocol_state *done, const char *detail);

/* Releases memory and lock; the files remain. NULL is a no-op. */
void journal_done(struct journal *journal);

#endif
