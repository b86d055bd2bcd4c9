/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Law 3: every guest that pmcoord suspended is resumed, or it is named. */

#include <stdbool.h>
#include <string.h>

#include "tests/worlds/laws.h"
#include "tests/worlds/printed.h"

/* Whether the command ends with the resume of the guest. */
static bool must_resume(const struct judge *judge, int guest)
{
	const struct world_step *step = judge_step(judge);
	const struct domain *domain = &judge->domains.domains[guest];

	if (step_is(step, "resume-all"))
		return true;
	if (step_is(step, "resume"))
		return step_has(step, judge_name(judge, guest));
	if (step_has(step, "--dry-run") || step_has(step, "--guests-only"))
		return false;
	return !domain->is_kept && (step_is(step, "suspend-all") || step_is(step, "cycle") ||
				    step_is(step, "sleep-unit") || step_is(step, "recover"));
}

/* A command that refuses its arguments does nothing; judge_codes judges the refusal. */
static bool has_refused(const struct judge *judge)
{
	return judge_outcome(judge)->code == 2;
}

static void judge_left(struct judge *judge, int guest)
{
	const struct domain *domain = &judge->domains.domains[guest];
	const struct outcome *outcome = judge_outcome(judge);
	const char *name = judge_name(judge, guest);
	const char *how = domain->suspended == SUSPENDED_BY_US ? "suspended" : "paused";

	if (!domain->resume_failed && !judge_cannot_look(judge, guest)) {
		judge_complain(
			judge, 3,
			domain->suspended == SUSPENDED_BY_US ? "left-suspended" : "left-paused",
			guest, "%s stays %s, and nothing has failed to resume it", name, how);
		return;
	}
	if (outcome->code != 6)
		judge_complain(judge, 6, "stranded-code", guest,
			       "%s stays %s, and the exit code is %d instead of 6", name, how,
			       outcome->code);
	if (!printed_names(outcome, name))
		judge_complain(judge, 3, "stranded-not-named", guest,
			       "%s stays %s, and is not named", name, how);
}

/* A request that stands makes the guest suspend later, when nobody expects it. */
static void judge_request(struct judge *judge, int guest)
{
	const struct domain *domain = &judge->domains.domains[guest];

	/* An event channel's notification cannot be retracted. */
	if (settings_get(&judge->history->world->guests[guest].settings, "KernelEventChannel")[0])
		return;
	if (domain->request_stands && !domain->retract_failed && !judge_may_fail(judge, guest))
		judge_complain(judge, 3, "request-left", guest, "the request to %s still stands",
			       judge_name(judge, guest));
}

void judge_held(struct judge *judge)
{
	if (has_refused(judge))
		return;
	for (size_t i = 0; i < judge->history->world->n_guests; i++) {
		if (!must_resume(judge, (int)i))
			continue;
		if (domain_is_held(&judge->domains.domains[i]))
			judge_left(judge, (int)i);
		else
			judge_request(judge, (int)i);
	}
}
