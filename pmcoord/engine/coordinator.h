/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_COORDINATOR_H
#define PMCOORD_ENGINE_COORDINATOR_H

/*
 * Ends a cycle that this process or an earlier one began: resumes the guests,
 * saves the report and removes the journal. `coordinator` must be the context of
 * this cycle, see context_of_cycle. None of it depends on a file: what cannot be written
 * is said in the report.
 */

#include <stdbool.h>

#include "pmcoord/error.h"
#include "record/report.h"
#include "engine/context.h"

/*
 * Resumes the selected guests (one bool per guest of the cycle; NULL: all) and
 * waits until their agents have restored the devices, see resume.h. If waiting fails,
 * records that as a problem of the cycle.
 */
void coordinator_resume_guests(struct coordinator *coordinator, const bool *selected);

/*
 * Writes the request of the next cycle ahead of time for each agent that has
 * answered in this cycle.
 */
void coordinator_prearm(struct coordinator *coordinator);

/*
 * Saves the report. The cycle is what it is, whether its report can be written or not: if
 * not, a warning in the report says so.
 */
void coordinator_save(const struct coordinator *coordinator, struct report *report);

/*
 * Saves the report of the cycle, and removes the journal if no guest remains to
 * be resumed. With `is_measurement`, saves the report only if its result is not
 * RESULT_OK. The caller owns *ret_report. Returns 0, or -ENOMEM with `error` set.
 */
int coordinator_finish(struct coordinator *coordinator, bool is_measurement,
		       struct report **ret_report, struct error *error);

#endif
