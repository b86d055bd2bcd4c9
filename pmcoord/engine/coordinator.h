/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_COORDINATOR_H
#define PMCOORD_ENGINE_COORDINATOR_H

/*
 * Ends a cycle that this process or an earlier one began: resumes the guests,
 * saves the report and removes the journal. `coordinator` must be the context of
 * this cycle, see context_of_cycle. Each function that returns an int returns 0
 * or a negative errno.
 */

#include <stdbool.h>

#include "pmcoord/error.h"
#include "record/report.h"
#include "engine/context.h"

/*
 * Resumes the selected guests (one bool per guest of the cycle; NULL: all) and
 * waits until their agents have restored the devices, see resume.h.
 */
int coordinator_resume_guests(struct coordinator *coordinator, const bool *selected);

/*
 * Writes the request of the next cycle ahead of time for each agent that has
 * answered in this cycle.
 */
void coordinator_prearm(struct coordinator *coordinator);

/*
 * Saves the report of the cycle, and removes the journal if no guest remains to
 * be resumed. With `is_measurement`, saves the report only if its result is not
 * RESULT_OK. The caller owns *ret_report. Sets `error` on failure.
 */
int coordinator_finish(struct coordinator *coordinator, bool is_measurement,
		       struct report **ret_report, struct error *error);

#endif
