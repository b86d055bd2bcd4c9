/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Law 6: the report against the exit code, and against what happened. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/worlds/laws.h"
#include "tests/worlds/printed.h"

/* The result that an exit code means; NULL: any. */
static const char *result_of_code(int code)
{
	static const char *const results[] = { "ok", "failed", NULL, "degraded" };

	return code >= 0 && code <= 3 ? results[code] : NULL;
}

static void judge_result(struct judge *judge, struct json_object *report)
{
	int code = judge_outcome(judge)->code;
	const char *wanted = result_of_code(code), *found = json_text(report, "result");

	if (wanted && strcmp(wanted, found) != 0)
		judge_complain(judge, 6, "code-against-report", -1,
			       "the exit code is %d, and the report says '%s'", code, found);
}

static void judge_slept(struct judge *judge, struct json_object *report)
{
	struct json_object *slept;
	bool says_so = json_object_object_get_ex(report, "slept_us", &slept) &&
		       json_object_is_type(slept, json_type_int);

	if (says_so != judge->domains.slept)
		judge_complain(judge, 6, "report-of-sleep", -1,
			       "the report says that the host %s, and it %s",
			       says_so ? "slept" : "did not sleep",
			       judge->domains.slept ? "slept" : "did not");
}

/* Whether the report has this outcome for one of the guest's domains: a reboot makes a second. */
static bool says(struct json_object *report, const char *name, const char *outcome)
{
	struct json_object *entry;

	for (size_t i = 0; (entry = json_element(report, "guests", i)); i++)
		if (strcmp(json_text(entry, "name"), name) == 0 &&
		    strcmp(json_text(entry, "outcome"), outcome) == 0)
			return true;
	return false;
}

/* What the report says of a guest in this step, against what happened to it. */
static void judge_outcome_of(struct judge *judge, struct json_object *report, int guest)
{
	const struct domain *domain = &judge->domains.domains[guest];
	const char *name = judge_name(judge, guest);
	bool says_suspended = says(report, name, "suspended");
	bool says_paused = says(report, name, "paused"), says_failed = says(report, name, "failed");

	if (domain->has_died || domain->has_appeared)
		return;
	if (says_suspended && !domain->was_suspended)
		judge_complain(judge, 6, "report-suspended", guest,
			       "the report says that %s was suspended, and it was not", name);
	if (says_paused && !domain->was_paused)
		judge_complain(judge, 6, "report-paused", guest,
			       "the report says that %s was paused, and it was not", name);
	/* One that was paused or has failed may suspend late. */
	if (says(report, name, "skipped") && !says_suspended && !says_paused && !says_failed &&
	    domain->was_requested && domain->was_suspended && !judge->domains.was_undone &&
	    !judge_cannot_look(judge, guest))
		judge_complain(judge, 6, "report-skipped", guest,
			       "the report says that %s was skipped, and it was suspended", name);
}

static void judge_refusal(struct judge *judge, struct json_object *report)
{
	const struct world_step *step = judge_step(judge);

	if (judge->domains.slept || step_has(step, "--guests-only") ||
	    step_has(step, "--dry-run") || judge_outcome(judge)->code == 2)
		return;
	if (!report)
		judge_complain(judge, 6, "refused-no-report", -1,
			       "the host did not sleep, and no report says why");
	else if (!json_text(report, "detail")[0])
		judge_complain(judge, 6, "refused-no-reason", -1,
			       "the host did not sleep, and the report does not say why");
}

void judge_report(struct judge *judge)
{
	const struct world_step *step = judge_step(judge);
	struct json_object *report;

	if (!step_is(step, "suspend-all") && !step_is(step, "sleep-unit"))
		return;
	/* It writes no report of its own; a new one is that of an earlier cycle. */
	if (step_has(step, "--guests-only") && !step_has(step, "--json"))
		return;
	report = printed_report(judge_outcome(judge));
	if (report) {
		judge_result(judge, report);
		judge_slept(judge, report);
		for (size_t i = 0; i < judge->history->world->n_guests; i++)
			judge_outcome_of(judge, report, (int)i);
	}
	judge_refusal(judge, report);
	json_object_put(report);
}
