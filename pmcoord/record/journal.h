/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_JOURNAL_H
#define PMCOORD_RECORD_JOURNAL_H

/*
 * The journal of running cycles: a file per cycle on /run, a line per record,
 * appended before the effect (intents) and after it (results). It survives the
 * coordinator, not the boot. An intent without a result means: ask the
 * hypervisor.
 */

#include "model/cycle.h"
#include "pmcoord/error.h"

struct journal;

/*
 * Creates the journal of a new cycle in `directory` (which is made if needed)
 * and writes its head and one record per step of the plan. Returns 0, or a
 * negative errno with `error` set; nothing is left behind then.
 */
int journal_create(const char *directory, const struct cycle_head *head, const struct plan *plan,
		   struct journal **ret_journal, struct error *error);

/*
 * Opens the journal of cycle `number` and replays it. A torn last line is
 * dropped. Returns 0, -ENOENT, -EBADMSG for a file that is no journal, or
 * another negative errno.
 */
int journal_open(const char *directory, uint64_t number, struct journal **ret_journal,
		 struct error *error);

/*
 * Replays the journal of cycle `number` only to be looked at. The cycle is the
 * caller's: cycle_done. Returns as journal_open.
 */
int journal_read(const char *directory, uint64_t number, struct cycle *ret_cycle,
		 struct error *error);

/* Closes the file and keeps it. */
void journal_close(struct journal *journal);
void journal_closep(struct journal **journal);

/*
 * Removes the file: the cycle is over, and nothing is held any more. Returns 0
 * or a negative errno.
 */
int journal_remove(struct journal *journal);

/*
 * Puts a file that cannot be replayed out of the way, under another name, so
 * that it is told once and does not stand in the way of every later cycle.
 * Returns 0 or a negative errno.
 */
#define JOURNAL_SET_ASIDE ".broken"
int journal_set_aside(const char *directory, uint64_t number);

/* The cycle as it stands; borrowed. */
const struct cycle *journal_cycle(const struct journal *journal);

/* Told of each record after it was applied; for progress and logs. */
typedef void (*journal_observer_fn)(void *data, const struct cycle *cycle,
				    const struct record *record);
void journal_observe(struct journal *journal, journal_observer_fn observer, void *data);

/*
 * Appends a record and applies it to the cycle. `guest` counts only for types
 * that have one. Returns 0 or a negative errno; the intent of an effect must
 * be on record before the effect, so a caller gives up on an error.
 */
int journal_record(struct journal *journal, enum record_type type, uint64_t at_us, size_t guest,
		   const char *format, ...) _printf_(5, 6);

/*
 * A journal that is read while its coordinator writes it. Opening returns 0,
 * or -ENOENT or another negative errno with `error` set; free with
 * journal_follower_free.
 */
struct journal_follower;
int journal_follow(const char *directory, uint64_t number, struct journal_follower **ret_follower,
		   struct error *error);
void journal_follower_free(struct journal_follower *follower);

/*
 * Takes what was appended since, telling `observer` of each record. Goes on
 * after the file was removed. Returns 0, or -EBADMSG for what is no journal.
 */
int journal_follower_read(struct journal_follower *follower, journal_observer_fn observer,
			  void *data);

/* The cycle as far as it was read; borrowed. */
const struct cycle *journal_follower_cycle(const struct journal_follower *follower);

/*
 * Lists the numbers of the cycles in `directory`, ascending. The array is the
 * caller's. Returns how many, or a negative errno; no directory is none.
 */
int journal_list(const char *directory, uint64_t **ret_numbers);

#endif
