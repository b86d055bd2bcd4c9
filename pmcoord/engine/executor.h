/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_EXECUTOR_H
#define PMCOORD_ENGINE_EXECUTOR_H

/*
 * Suspends the guests of a plan, each as soon as the last guest that needs it
 * is suspended. Passive: the caller waits on the loop and passes on events and
 * deadlines.
 *
 * Every request is recorded in the journal before it is sent, and every result
 * after it arrived: resume.h can undo it all from the journal alone.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/plan.h"
#include "engine/context.h"

struct executor;

/*
 * Both are borrowed and must outlive the executor. The context's journal is the
 * one created for this plan: its guests are the plan's steps, by index. Returns
 * 0 or -ENOMEM; free with executor_free.
 */
int executor_new(const struct plan *plan, const struct coordinator *context,
		 struct executor **ret_executor);
/* Takes NULL. */
void executor_free(struct executor *executor);
void executor_freep(struct executor **executor);

/*
 * The functions below return 0, or a negative errno when the journal cannot be
 * written: the caller then undoes the cycle.
 */

/*
 * Acquires channels and watches before any guest is touched, and writes the
 * request of this cycle for the agents. A guest for which that fails is handled
 * in its step like one that does not suspend.
 */
int executor_prepare(struct executor *executor);

/*
 * Sends the first requests; once, and not to an executor that is finished. The
 * overall deadline counts from here.
 */
int executor_start(struct executor *executor);

/*
 * Handles an event of the hypervisor about a domain, or about
 * HYPERVISOR_ALL_DOMAINS.
 */
int executor_handle_event(struct executor *executor, uint32_t domid);

/* Handles the deadlines that have passed; a no-op before executor_deadline(). */
int executor_handle_time(struct executor *executor);

/*
 * Records the abort of the cycle for `reason`; no request is sent any more. The
 * caller undoes the cycle. Idempotent: the first reason counts.
 */
int executor_abort(struct executor *executor, const char *reason);

/*
 * When to call executor_handle_time, in µs of the loop's clock; LOOP_FOREVER:
 * no deadline is set.
 */
uint64_t executor_deadline(const struct executor *executor);

/* Whether the step of every guest is done, or the cycle was aborted. */
bool executor_is_finished(const struct executor *executor);

#endif
