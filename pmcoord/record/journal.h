/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_JOURNAL_H
#define PMCOORD_RECORD_JOURNAL_H

/*
 * The journal of a running cycle: a file on /run with a line per record. Intents
 * are appended before their effect, results after it. It outlives its
 * coordinator, but not the boot. The effect of an intent without a result is
 * unknown: read it from the hypervisor.
 */

#include <stddef.h>
#include <stdint.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/cycle.h"
#include "model/plan.h"

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
 * Replays the journal of cycle `number` without opening it for writing. Returns
 * as journal_open. Release: cycle_done.
 */
int journal_read(const char *directory, uint64_t number, struct cycle *ret_cycle,
		 struct error *error);

/* Closes the file and keeps it. */
void journal_close(struct journal *journal);
void journal_closep(struct journal **journal);

/*
 * Removes the file, once every guest of the cycle runs or is gone. Returns 0 or
 * a negative errno.
 */
int journal_remove(struct journal *journal);

/*
 * Renames a file that cannot be replayed, so that it is reported once and does
 * not block later cycles. Returns 0 or a negative errno.
 */
#define JOURNAL_SET_ASIDE ".broken"
int journal_set_aside(const char *directory, uint64_t number);

/* The cycle after its last record; borrowed. */
const struct cycle *journal_cycle(const struct journal *journal);

/* Gets each record after it was applied; for progress and logs. */
typedef void (*journal_observer_fn)(void *data, const struct cycle *cycle,
				    const struct record *record);
void journal_observe(struct journal *journal, journal_observer_fn observer, void *data);

/*
 * Appends a record and applies it to the cycle. `guest` is used only for types
 * that have one. Returns 0 or a negative errno: then the caller must not cause
 * the effect that the record announces.
 */
int journal_record(struct journal *journal, enum record_type type, uint64_t at_us, size_t guest,
		   const char *format, ...) _printf_(5, 6);

/*
 * Reads a journal while its coordinator writes it. Returns 0, -ENOENT or another
 * negative errno, with `error` set. Release: journal_follower_free.
 */
struct journal_follower;
int journal_follow(const char *directory, uint64_t number, struct journal_follower **ret_follower,
		   struct error *error);
void journal_follower_free(struct journal_follower *follower);

/*
 * Calls `observer` for each record that was appended since the last call, also
 * after the file was removed. Returns 0, or -EBADMSG for a damaged journal.
 */
int journal_follower_read(struct journal_follower *follower, journal_observer_fn observer,
			  void *data);

/* The cycle after the last record that was read; borrowed. */
const struct cycle *journal_follower_cycle(const struct journal_follower *follower);

/*
 * Lists the numbers of the cycles in `directory`, ascending. The array is the
 * caller's. Returns how many, 0 without a directory, or a negative errno.
 */
int journal_list(const char *directory, uint64_t **ret_numbers);

#endif
