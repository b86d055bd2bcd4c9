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
 * The journal of a cycle records on /run each change in this guest (an "effect") before
 * the change is made. Restoring undoes the effects from the last to the first, whether
 * the cycle succeeded, failed, or was left unfinished by an agent that died.
 *
 *   <run>/journal   "cycle <n>", "effect <kind> <text>" …, "undone <index>" …
 *   <run>/done      the end of the last cycle: "<state> <n>" and a line with the detail
 *   <run>/lock      locked (fcntl) while a cycle or a self-test runs
 *
 * An agent may die after it has recorded an effect and before it has made the change. So
 * undoing an effect must also work if the change was not made.
 */

/* The kinds of effects; effect_kind_name() returns their names in the file. */
enum effect_kind {
	EFFECT_HOOK, /* text: the hook's name */
	EFFECT_MANAGER, /* text: the network manager's name */
	EFFECT_FREEZE, /* text: the cgroup */
	EFFECT_DEVICE, /* text: "<address> <driver>" */
	EFFECT_MODULE, /* text: the module's name */
	EFFECT_FREEZE_TIMEOUT, /* text: the former pm_freeze_timeout in ms */
};

/* The size of an effect's text, with its NUL; journal_add() refuses longer texts. */
#define EFFECT_TEXT_MAX 160

struct effect {
	enum effect_kind kind;
	bool undone; /* has been undone, or cannot be undone */
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

/* Returns the name of a kind in the file and in messages: "hook", "freeze", … */
const char *effect_kind_name(enum effect_kind kind);

/*
 * Reads the files on /run, and creates their directory if it does not exist. Afterwards
 * `open` is true if an earlier agent has left a cycle unfinished. Returns 0 or negative
 * errno; release `ret` with journal_done().
 */
int journal_load(struct journal *ret, const struct roots *roots, struct error *error);

/*
 * Takes the lock, unless this process has it already. Returns 0; -EBUSY if another agent
 * process (e.g. with --test) has the lock; or another negative errno.
 */
int journal_lock(struct journal *journal, struct error *error);

/*
 * Takes the lock and starts a cycle. Returns 0; -EBUSY if another process has the lock; or
 * another negative errno. Also returns -EBUSY if an unfinished cycle must be undone first;
 * the effects of that cycle are then loaded.
 */
int journal_begin(struct journal *journal, uint64_t cycle, struct error *error);

/*
 * Records an effect before the caller makes the change. Returns 0 or negative errno. On
 * failure the caller must not make the change.
 */
int journal_add(struct journal *journal, enum effect_kind kind, const char *text,
		struct error *error);

/* Records that effect `index` has been undone, or that it cannot be undone. */
void journal_undone(struct journal *journal, size_t index);

/*
 * Ends the cycle: deletes its journal file, forgets the effects without undoing them, and
 * releases the lock. Records the final state `done` and `detail` for the next agent process.
 * If `done` is NULL (after a self-test), the state and the detail of the last cycle remain.
 * Returns 0 or negative errno.
 */
int journal_finish(struct journal *journal, const struct protocol_state *done, const char *detail);

/* Releases the memory and the lock; the files remain. NULL is a no-op. */
void journal_done(struct journal *journal);

#endif
