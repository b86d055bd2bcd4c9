/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_EXECUTOR_H
#define PMCOORD_ENGINE_EXECUTOR_H

/*
 * Brings the guests of a plan down, each the moment the last one that needs it
 * is down. Passive: its owner waits on the loop and hands in what happened.
 *
 * Every intent goes to the journal before its effect and every result after
 * it, so that restore.h can undo whatever this has done, from the journal
 * alone, at any moment.
 */

#include "engine/context.h"
#include "model/plan.h"

struct executor;

/*
 * Both are borrowed and must outlive the executor. The context's journal is the
 * one created for this plan: its guests are the plan's steps, by index. Returns
 * 0 or -ENOMEM.
 */
int executor_new(const struct plan *plan, const struct coordinator *context,
		 struct executor **ret_executor);
void executor_free(struct executor *executor);
void executor_freep(struct executor **executor);

/*
 * Acquires everything before anything is changed: channels, watches; tells
 * agents which request will come. A guest for which that fails is handled like
 * one that does not go down, once its turn comes. Returns 0 or negative when
 * the journal cannot be written.
 */
int executor_prepare(struct executor *executor);

/*
 * What follows returns 0, or a negative errno when the journal cannot be
 * written: then the cycle is to be undone.
 */

/* Makes the first requests. The overall deadline counts from here. */
int executor_start(struct executor *executor);

/* The hypervisor had an event about this domain (or about all). */
int executor_handle_event(struct executor *executor, uint32_t domid);

/* The clock has reached executor_deadline(). */
int executor_handle_time(struct executor *executor);

/*
 * Ends it here, for `reason`; what has been done is for restore.h to undo.
 * Idempotent.
 */
int executor_abort(struct executor *executor, const char *reason);

/*
 * When to call executor_handle_time at the latest, in µs of the loop's clock;
 * LOOP_FOREVER: not before an event.
 */
uint64_t executor_deadline(const struct executor *executor);

/* Everybody is down, paused or given up, or the cycle was aborted. */
bool executor_is_finished(const struct executor *executor);

#endif
