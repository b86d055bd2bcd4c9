/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_EXECUTOR_H
#define PMCOORD_ENGINE_EXECUTOR_H

/*
 * Suspends the guests of a plan, each as soon as the last guest that needs it
 * is suspended. The executor is passive: the caller waits on the loop, and
 * passes each event and each deadline on to the executor.
 *
 * Every request is recorded in the journal before it is sent, and every result
 * after it was read. The functions of resume.h can therefore undo the cycle
 * from the journal alone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/plan.h"
#include "engine/context.h"

struct executor;

/*
 * Creates the executor of a plan. `plan` and what `context` points to are
 * borrowed and must outlive the executor. The context's journal must have been
 * created for this plan, because guests are recorded by the index of their step
 * in the plan. Returns 0 or -ENOMEM. Release: executor_free.
 */
int executor_new(const struct plan *plan, const struct coordinator *context,
		 struct executor **ret_executor);
/* Frees `executor`, which may be NULL. */
void executor_free(struct executor *executor);
void executor_freep(struct executor **executor);

/*
 * Each function below that returns an int returns 0, or a negative errno if the
 * journal could not be written. After an error the caller must undo the cycle.
 */

/*
 * Prepares all guests: binds their event channels, sets the watches that their
 * requests need, and writes the request of this cycle for their agents. Must be
 * called before executor_start. If a guest cannot be prepared, its step fails
 * later, when the step starts.
 */
int executor_prepare(struct executor *executor);

/*
 * Sets the overall deadline, by which all guests must be suspended (Deadline=),
 * and sends the first requests. Must be called once, and only if the cycle is not
 * aborted.
 */
int executor_start(struct executor *executor);

/*
 * Takes the steps that plan_extend has added to the plan after its first `n_old` steps. Their
 * guests are suspended as the others are, or paused if the overall deadline has passed. Must be
 * called before any other function.
 */
int executor_extend(struct executor *executor, size_t n_old);

/* Whether a guest of the plan has this domid. */
bool executor_has_guest(const struct executor *executor, uint32_t domid);

/* Whether the overall deadline has passed. Must be called after executor_start. */
bool executor_is_past_deadline(const struct executor *executor);

/*
 * Handles an event of the hypervisor for the domain `domid`, or for all domains
 * (HYPERVISOR_ALL_DOMAINS).
 */
int executor_handle_event(struct executor *executor, uint32_t domid);

/*
 * Handles the deadlines that have passed. Does nothing before the time that
 * executor_deadline returns.
 */
int executor_handle_time(struct executor *executor);

/*
 * Aborts the cycle and records the reason. The executor then sends no further
 * request. The caller must undo the cycle. Does nothing if the cycle is already
 * aborted.
 */
int executor_abort(struct executor *executor, const char *reason);

/*
 * Returns when to call executor_handle_time, in µs of the loop's clock, or
 * LOOP_FOREVER if no deadline is set.
 */
uint64_t executor_deadline(const struct executor *executor);

/* Returns whether the step of every guest is done or the cycle is aborted. */
bool executor_is_finished(const struct executor *executor);

#endif
