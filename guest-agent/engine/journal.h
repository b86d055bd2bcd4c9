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
 * What a cycle has changed in this guest, on /run and written before each
 * change: undoing is going through this list backwards, whether the cycle ended
 * well, failed, or its agent died and a successor found the list.
 *
 *   <run>/journal   "cycle <n>", "effect <kind> <text>" …, "undone <index>" …
 *   <run>/done      "<state> <n>", then the detail: how the last cycle ended
 *   <run>/lock      held (fcntl) while a cycle or a test runs
 *
 * An effect may stand there that did not come about (its writer died in
 * between), so whoever undoes looks first.
 */

enum effect_kind {
	EFFECT_HOOK, /* text: the hook's name */
	EFFECT_MANAGER, /* a network manager was told to sleep */
	EFFECT_FREEZE, /* text: the cgroup */
	EFFECT_DEVICE, /* text: "<address> <driver>" */
	EFFECT_MODULE, /* text: the module */
	EFFECT_FREEZE_TIMEOUT, /* text: the kernel's former limit in ms */
};

#define EFFECT_TEXT_MAX 160

struct effect {
	enum effect_kind kind;
	bool undone;
	char text[EFFECT_TEXT_MAX];
};

struct journal {
	const struct roots *roots;
	int lock_fd;
	int fd;
	bool open; /* a cycle has begun and is not finished */
	uint64_t cycle;
	struct effect *effects;
	size_t n_effects;
	struct protocol_state done;
	char detail[PROTOCOL_DETAIL_MAX + 1];
};

/* What reports and logs call a kind: "hook", "freeze", …. */
const char *effect_kind_name(enum effect_kind kind);

/*
 * Reads what stands on /run, making the directory where needed. Afterwards
 * `open` says whether a predecessor left a cycle unfinished.
 */
int journal_load(struct journal *ret, const struct roots *roots, struct error *error);

/*
 * Takes the lock. Returns 0, or -EBUSY if another process of the agent (a test)
 * is at work. A lock that is held already stays.
 */
int journal_lock(struct journal *journal, struct error *error);

/*
 * Starts a cycle. Returns -EBUSY with the effects of an unfinished one loaded,
 * to be undone first, or if the lock is taken.
 */
int journal_begin(struct journal *journal, uint64_t cycle, struct error *error);

/* Records what is about to be done. */
int journal_add(struct journal *journal, enum effect_kind kind, const char *text,
		struct error *error);

/* Records that effect `index` is undone (or given up). */
void journal_undone(struct journal *journal, size_t index);

/*
 * Ends the cycle and drops the list. With `done`, its state and detail are what
 * a successor will find; a test passes NULL and leaves the last cycle's.
 */
int journal_finish(struct journal *journal, const struct protocol_state *done, const char *detail);

/* Lets go of the list and the lock; what stands on /run stays. */
void journal_done(struct journal *journal);

#endif
