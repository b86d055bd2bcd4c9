/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_RESUME_H
#define PMCOORD_ENGINE_RESUME_H

/*
 * Brings back every guest that a cycle holds, from its journal alone: after
 * the wake, after a refused sleep, after an abort, and after a crash, all by
 * the same way. In reverse order; what one guest does never stops the others.
 */

#include <stdbool.h>

#include "engine/context.h"

/*
 * Does for each guest that is down what can be done ahead of its resume: what
 * is done before the host sleeps need not be done on the wake. Optional.
 */
void resume_prepare(const struct coordinator *context);

/*
 * Which guests to bring back: all for NULL, or those for which
 * selected[index in the cycle] is true.
 *
 * Resumes in reverse suspend order. With ResumeAfter=ready a guest waits, at
 * most ready_timeout_us, for the devices of those it needs. Afterwards
 * xenstored is told, and agents are told to look. Guests that cannot be
 * resumed are recorded as stranded. Returns 0, or a negative errno when the
 * journal cannot be written any more (all guests have been tried all the same).
 */
int resume_guests(const struct coordinator *context, const bool *selected);

/*
 * Waits, at most ready_timeout_us, until the agents of the guests that were
 * resumed have restored their devices; and resumes guests that took a request
 * and go down late. Returns 0 or a negative errno.
 */
int resume_wait_ready(const struct coordinator *context);

#endif
