/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of earlier cycles: guests still suspended, journals, the last result. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "model/cycle.h"
#include "record/report.h"
#include "record/status.h"
#include "view/findings.h"
#include "check/check.h"

static void check_hold(const struct cycle *cycle, const struct cycle_guest *guest,
		       struct findings *findings)
{
	if (guest->stranded)
		findings_add(findings, FINDING_ERROR, guest->name, "pmcoord resume-all",
			     "the guest is still suspended or paused: it could not be resumed in "
			     "cycle %" PRIu64,
			     cycle->head.number);
	else if (guest->hold != HOLD_NONE && cycle->kept_suspended)
		findings_add(findings, FINDING_INFO, guest->name, "pmcoord resume-all",
			     "the guest is kept suspended, as requested in cycle %" PRIu64,
			     cycle->head.number);
}

static void check_holds(const struct status *status, struct findings *findings)
{
	for (size_t i = 0; i < status->n_cycles; i++)
		for (size_t j = 0; j < status->cycles[i].n_guests; j++)
			check_hold(&status->cycles[i], &status->cycles[i].guests[j], findings);
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
	check_holds(context->status, findings);
	check_last(context->status, findings);
}
