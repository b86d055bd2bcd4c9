/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_JOURNAL_H
#define PMCOORD_RECORD_JOURNAL_H

/*
 * The journal of a running cycle: a file on /run with a line per record. The
 * record of an intent is appended before the effect, and the record of the
 * result after the effect. If an intent has no result, its effect is unknown
 * and must be read from the hypervisor. The journal outlives its coordinator,
 * but not the boot.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/cycle.h"
#include "model/inventory.h"
#include "model/plan.h"

struct journal;

/*
 * Creates the journal of a new cycle, and `directory` if needed. Writes the
 * head, a record per step of the plan, and the warnings. Returns 0, or a
 * negative errno with `error` set. On failure no new file is left. Release:
 * journal_close.
 *
 * With `is_dispensable`, what cannot be written, or the whole file, is no error: the cycle, in
 * memory, counts the records. If the process then dies, its successor does not know them; see also
 * journal_renew.
 */
int journal_create(const char *directory, const struct cycle_head *head, const struct plan *plan,
		   bool is_dispensable, struct journal **ret_journal, struct error *error);

/*
 * Opens the journal of cycle `number` and replays it. Cuts off a torn last line. A
 * journal with records that only another version of pmcoord knows, or with damaged
 * lines, is opened all the same, because its guests must be resumed: replay skips
 * these lines. It counts the damaged ones in struct cycle. Returns 0, or a negative
 * errno with `error` set: -ENOENT if there is no such journal, -EBADMSG if it has
 * damaged lines and no guest. Release: journal_close.
 */
int journal_open(const char *directory, uint64_t number, struct journal **ret_journal,
		 struct error *error);

/*
 * Replays the journal of cycle `number` into *ret_cycle, without opening the
 * file for writing. Returns as journal_open. Release: cycle_done.
 */
int journal_read(const char *directory, uint64_t number, struct cycle *ret_cycle,
		 struct error *error);

/*
 * Whether the journal of `cycle` has no guest to resume: the guests of an earlier boot
 * are gone, and of a journal without any record the coordinator died before it touched a
 * guest. If the head is damaged, the boot is unknown; then it is this one, as /run is
 * empty after a boot.
 */
bool journal_is_obsolete(const struct cycle *cycle, const char *boot_id);

/* Returns 0 to be called for the next cycle. */
typedef int (*journal_cycle_fn)(void *data, const struct cycle *cycle);

/*
 * Calls `handle` for each cycle of this boot, from the first to the last, until it returns another
 * value than 0. Leaves out journals that cannot be read. Returns the last value, or 0.
 */
int journal_for_each_cycle(const char *directory, journal_cycle_fn handle, void *data);

/* Closes the journal and keeps its file. `journal` may be NULL. */
void journal_close(struct journal *journal);
void journal_closep(struct journal **journal);

/*
 * Removes the file, or renames it if a line of it is damaged (JOURNAL_SET_ASIDE). Must
 * be called only when every guest of the cycle runs or is gone. Returns 0 or a negative
 * errno.
 */
int journal_remove(struct journal *journal);

/* The suffix of a damaged journal that is not needed any more, for whoever examines it. */
#define JOURNAL_SET_ASIDE ".broken"

/*
 * Renames the journal of cycle `number`, in which no guest can be read, so that it is
 * reported once and does not block later cycles. Returns 0 or a negative errno.
 */
int journal_set_aside(const char *directory, uint64_t number);

/* Returns the state of the cycle after its last record; borrowed. */
const struct cycle *journal_cycle(const struct journal *journal);

/* Called with each record after the record was applied to `cycle`, e.g. to print progress. */
typedef void (*journal_observer_fn)(void *data, const struct cycle *cycle,
				    const struct record *record);
/* Sets the observer of the records that are appended from now on; NULL: none. */
void journal_observe(struct journal *journal, journal_observer_fn observer, void *data);

/*
 * Appends a record and applies it to the cycle. `guest` is ignored if
 * record_type_has_guest is false for `type`. Returns 0 or a negative errno: -EBADMSG
 * for a record that replay would not accept, which is not written either. After an error, the
 * caller must not cause the effect that the record announces. A record that announces none
 * (record_type_is_intent) is applied to the cycle even if it cannot be written; so is each record
 * of a dispensable journal, for which this is no error.
 */
int journal_record(struct journal *journal, enum record_type type, uint64_t at_us, size_t guest,
		   const char *format, ...) _printf_(5, 6);

/*
 * Replaces the file of a dispensable journal that has lost records by one that has the cycle's
 * present state: which guests are still to be resumed, or may suspend late. Returns 0 or a negative
 * errno.
 */
int journal_renew(struct journal *journal, uint64_t at_us);

/*
 * Adds a guest that has appeared since the journal was created: that of a step of the extended
 * plan (see plan_extend), or one that is not suspended and has no step. Returns 0 or a negative
 * errno.
 */
int journal_add_guest(struct journal *journal, const struct plan *plan, const struct step *step,
		      uint64_t at_us);
int journal_add_skipped(struct journal *journal, const struct guest *guest, uint64_t at_us);

/* Records what the guest of step `i` needs in the extended plan. Returns 0 or a negative errno. */
int journal_record_needs(struct journal *journal, const struct plan *plan, size_t i,
			 uint64_t at_us);

/* A journal that is read while its coordinator writes it. */
struct journal_follower;

/*
 * Opens the journal of cycle `number` to follow it. Returns 0, or a negative
 * errno with `error` set: -ENOENT if there is no such journal. Release:
 * journal_follower_free.
 */
int journal_follow(const char *directory, uint64_t number, struct journal_follower **ret_follower,
		   struct error *error);
/* `follower` may be NULL. */
void journal_follower_free(struct journal_follower *follower);

/*
 * Calls `observer`, unless it is NULL, for each record that was appended since
 * the last call, even if the file was removed. The first call reads the whole
 * journal. Returns 0 or a negative errno.
 */
int journal_follower_read(struct journal_follower *follower, journal_observer_fn observer,
			  void *data);

/* Returns the state of the cycle after the last record that was read; borrowed. */
const struct cycle *journal_follower_cycle(const struct journal_follower *follower);

/*
 * Lists the numbers of the cycles with a journal in `directory`, ascending.
 * Returns how many there are, 0 if there is no directory, or a negative errno.
 * The caller frees the array.
 */
int journal_list(const char *directory, uint64_t **ret_numbers);

#endif
