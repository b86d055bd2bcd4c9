/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_COORDINATOR_H
#define PMCOORD_ENGINE_COORDINATOR_H

/*
 * The end of a cycle, whether or not this process began it: guests resumed,
 * report written, journal removed. The context is that of the cycle, with its
 * journal. Functions return 0, or a negative errno with `error` set.
 */

#include <stdbool.h>

#include "pmcoord/error.h"
#include "record/report.h"
#include "engine/context.h"

/*
 * Resumes the selected guests (one bool per guest of the cycle; NULL: all) and
 * waits for their devices.
 */
int coordinator_resume_guests(struct coordinator *coordinator, const bool *selected);

/* Writes the request of the next cycle for each agent that has answered. */
void coordinator_prearm(struct coordinator *coordinator);

/*
 * Ends the cycle: saves its report, and removes its journal unless a guest is
 * still to be resumed. The report of a measurement is saved only if something
 * went wrong. *ret_report is the caller's.
 */
int coordinator_finish(struct coordinator *coordinator, bool is_measurement,
		       struct report **ret_report, struct error *error);

#endif
