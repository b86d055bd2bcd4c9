/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_RESUME_H
#define PMCOORD_ENGINE_RESUME_H

/*
 * Resumes the guests of a cycle, from its journal alone: the same after the
 * wake, a refused sleep, an abort and a crash. In reverse order; a failure of
 * one guest never stops the others. The context's journal is that of the cycle.
 */

#include <stdbool.h>

#include "engine/context.h"

/*
 * Prepares the resume of each suspended guest, so that less is left to do after
 * the wake. Optional.
 */
void resume_prepare(const struct coordinator *context);

/*
 * Resumes the guests for which selected[index in the cycle] is true, or all
 * (NULL). With ResumeAfter=ready a guest waits, at most ready_timeout_us, for
 * the devices of the guests that it needs. Afterwards agents and xenstored are
 * notified. Guests that cannot be resumed are recorded as stranded. Returns 0,
 * or a negative errno if waiting failed or the journal could not be written:
 * all guests have been tried then, too.
 */
int resume_guests(const struct coordinator *context, const bool *selected);

/*
 * Waits, at most ready_timeout_us, until the agents of the resumed guests have
 * restored their devices, and resumes guests that had acknowledged a request
 * and suspend late. Returns as resume_guests.
 */
int resume_wait_ready(const struct coordinator *context);

#endif
