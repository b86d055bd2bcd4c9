/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_RESUME_H
#define PMCOORD_ENGINE_RESUME_H

/*
 * Resumes the guests of a cycle in reverse suspend order. The cycle's journal
 * alone says which guests have to be resumed, so the resume is the same after
 * the wake, a refused sleep, an abort and a crash of the coordinator. A failure
 * to resume one guest never stops the resume of the others. The context's
 * journal must be that of the cycle.
 */

#include <stdbool.h>

#include "engine/context.h"

/*
 * Prepares the resume of each suspended guest, so that less is left to do after
 * the wake. This call may be omitted, because resume_guests makes the same
 * preparations.
 */
void resume_prepare(const struct coordinator *context);

/*
 * Resumes the guests for which `selected` is true (one bool per guest of the
 * cycle; NULL: all), and then notifies their agents and xenstored. With
 * ResumeAfter=ready, resumes each guest only when the guests that it needs have
 * restored their devices, or after ready_timeout_us. Guests that cannot be
 * resumed are recorded as stranded. Returns 0, or a negative errno if waiting
 * failed. Every guest is tried even then, and even if the journal cannot be written.
 */
int resume_guests(const struct coordinator *context, const bool *selected);

/*
 * Waits, at most ready_timeout_us, until the agents of the resumed guests have
 * restored their devices. A guest that has acknowledged a request may suspend
 * late: also waits until 25 s after the request, and resumes guests that
 * suspend during the wait. Returns 0, or a negative errno if waiting failed.
 */
int resume_wait_ready(const struct coordinator *context);

/*
 * Resumes guests that have suspended late, without waiting, and records which guests will
 * not suspend any more.
 */
void resume_check_late(const struct coordinator *context);

#endif
