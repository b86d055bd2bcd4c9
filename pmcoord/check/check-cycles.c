/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of earlier cycles: guests kept suspended, journals, the last result. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "model/cycle.h"
#include "record/report.h"
#include "record/status.h"
#include "view/findings.h"
#include "check/check.h"

static void check_kept_suspended(const struct status *status, struct findings *findings)
{
	for (size_t i = 0; i < status->n_cycles; i++) {
		const struct cycle *cycle = &status->cycles[i];

		for (size_t j = 0; j < cycle->n_guests && cycle->kept_suspended; j++)
			if (cycle->guests[j].hold != HOLD_NONE)
				findings_add(
					findings, FINDING_INFO, cycle->guests[j].name,
					"pmcoord resume-all",
					"the guest is kept suspended, as requested in cycle %" PRIu64,
					cycle->head.number);
	}
}

static void check_state(const struct status *status, struct findings *findings)
{
	if (status->state == STATUS_INTERRUPTED)
		findings_add(
			findings, FINDING_ERROR, "cycles", "pmcoord resume-all",
			"a cycle was interrupted before it had resumed its guests: some guests may still be suspended");
	if (status->n_unreadable > 0)
		findings_add(
			findings, FINDING_WARNING, "cycles",
			"'xl unpause' or restart the guests that 'xl list' shows in state s or p, then remove the unreadable journals",
			"unreadable journals in /run/pmcoord/cycles: %zu; guests of these cycles may still be suspended",
			status->n_unreadable);
}

static void check_last(const struct status *status, struct findings *findings)
{
	char advice[64];

	if (!status->last || status->last->result == RESULT_OK)
		return;
	snprintf(advice, sizeof(advice), "pmcoord report %" PRIu64, status->last->cycle);
	findings_add(findings, FINDING_INFO, "cycles", advice, "the last cycle was %s",
		     cycle_result_name(status->last->result));
}

void check_cycles(const struct check_context *context, struct findings *findings)
{
	assert(context && findings);
	if (context->no_status)
		findings_add(findings, FINDING_WARNING, "cycles", "run 'pmcoord check' as root",
			     "%s", context->no_status);
	if (!context->status)
		return;
	check_state(context->status, findings);
	check_kept_suspended(context->status, findings);
	check_last(context->status, findings);
}
