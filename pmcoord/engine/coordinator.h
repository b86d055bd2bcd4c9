/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_ENGINE_COORDINATOR_H
#define PMCOORD_ENGINE_COORDINATOR_H

/*
 * How each cycle ends, whoever began it: guests resumed, report written,
 * journal removed. The context is that of the cycle. Functions return 0 or a
 * negative errno; where there is an `error` it is set then.
 */

#include <stdbool.h>

#include "record/report.h"
#include "engine/context.h"

/*
 * Resumes the selected guests (one bool per guest of the cycle; NULL: all that
 * it holds) and waits for their devices.
 */
int coordinator_resume_guests(struct coordinator *coordinator, const bool *selected);

/* Tells each agent ahead of time which request comes next. */
void coordinator_prearm(struct coordinator *coordinator);

/*
 * Ends the cycle: report on disk, journal gone unless someone is stranded. A
 * measurement leaves a report only where it went wrong. The report is also the
 * caller's, with a reference of its own.
 */
int coordinator_finish(struct coordinator *coordinator, bool is_measurement,
		       struct report **ret_report, struct error *error);

#endif
