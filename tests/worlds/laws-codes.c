/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The contract of commands: exit codes, idempotence, and what status says. */

#include <stdbool.h>
#include <string.h>

#include "tests/worlds/laws.h"
#include "tests/worlds/printed.h"

/* Whether the command names a guest that does not exist now. */
static bool names_a_missing_guest(const struct judge *judge)
{
	const struct world_step *step = judge_step(judge);
	bool any = false;

	for (size_t i = 0; i < judge->history->world->n_guests; i++) {
		const struct domain *domain = &judge->domains.domains[i];

		/* It may have gone, or come, while the command ran. */
		if (!step_has(step, judge_name(judge, (int)i)))
			continue;
		if (!domain->exists || domain->has_come)
			return true;
		any = true;
	}
	return !any && (step_is(step, "suspend") || step_is(step, "resume"));
}

/* A configuration that was named and cannot be read is an error only before a suspend. */
static bool may_refuse(const struct judge *judge)
{
	const struct world_step *step = judge_step(judge);
	bool resumes =
		step_is(step, "resume-all") || step_is(step, "resume") || step_is(step, "recover");
	bool reports = step_is(step, "status") || step_is(step, "report") ||
		       step_is(step, "list") || step_is(step, "plan");

	if (step_has(step, "--config=/dev/null/none") && !resumes && !reports)
		return true;
	return names_a_missing_guest(judge);
}

/* A second resume-all, right after a first one that did all, does nothing. */
static void judge_idempotence(struct judge *judge)
{
	const struct history *history = judge->history;
	const struct outcome *outcome = judge_outcome(judge);

	if (judge->step == 0 || !step_is(judge_step(judge), "resume-all") ||
	    !step_is(&history->world->steps[judge->step - 1], "resume-all") ||
	    history->outcomes[judge->step - 1].code != 0 ||
	    history->outcomes[judge->step - 1].was_killed)
		return;
	if (outcome->code != 0 && outcome->code != 2)
		judge_complain(judge, 0, "second-resume-code", -1,
			       "the second resume-all returns %d", outcome->code);
	for (size_t i = outcome->first; i < outcome->end; i++)
		if (history->happenings[i].type < HAPPENS_ACKNOWLEDGED)
			judge_complain(judge, 0, "second-resume-acts", history->happenings[i].guest,
				       "the second resume-all is not idempotent: %s",
				       happening_word(history->happenings[i].type));
}

static bool has_no_s3(const struct judge *judge)
{
	return strcmp(settings_get(&judge->history->world->host, "S3"), "no") == 0;
}

void judge_codes(struct judge *judge)
{
	const struct world_step *step = judge_step(judge);
	int code = judge_outcome(judge)->code;

	if (code > 128)
		judge_complain(judge, 0, "crashed", -1, "signal %d ended the command", code - 128);
	else if (code > 6)
		judge_complain(judge, 0, "unknown-code", -1, "%d is no exit code", code);
	if (code == 2 && !may_refuse(judge))
		judge_complain(judge, 0, "refused", -1,
			       "exit code 2 for a command that is right: %.100s",
			       judge_outcome(judge)->err);
	if (code == 4 && !has_no_s3(judge))
		judge_complain(judge, 0, "unsupported", -1, "exit code 4: %.100s",
			       judge_outcome(judge)->err);
	if (code == 5)
		judge_complain(judge, 0, "busy", -1, "exit code 5, and no other cycle runs");
	if (code == 1 && step_is(step, "resume-all") && !judge_may_fail(judge, -1))
		judge_complain(judge, 0, "resume-failed-code", -1,
			       "resume-all returns 1, and nothing fails: %.100s",
			       judge_outcome(judge)->err);
	judge_idempotence(judge);
}

/* ---- status ------------------------------------------------------------- */

static bool status_lists(struct json_object *status, const char *name)
{
	struct json_object *entry;

	for (size_t i = 0; (entry = json_element(status, "held", i)); i++)
		if (strcmp(json_text(entry, "guest"), name) == 0)
			return true;
	return false;
}

/* Whether an earlier command was killed, so that its guests may be kept or not. */
static bool was_any_killed(const struct judge *judge)
{
	for (size_t i = 0; i < judge->step; i++)
		if (judge->history->outcomes[i].was_killed)
			return true;
	return false;
}

static void judge_status_of(struct judge *judge, struct json_object *status, int guest)
{
	const struct domain *domain = &judge->domains.domains[guest];
	const char *name = judge_name(judge, guest);
	bool is_held = domain_is_held(domain);

	if (is_held && !status_lists(status, name))
		judge_complain(judge, 6, "status-silent", guest,
			       "pmcoord keeps %s from running, and status does not list it", name);
	if (!is_held && !domain->may_suspend && !domain->request_stands &&
	    status_lists(status, name) && !was_any_killed(judge) &&
	    !judge_cannot_look(judge, guest))
		judge_complain(judge, 6, "status-false", guest,
			       "status lists %s, which pmcoord does not hold", name);
	if (is_held && !domain->is_kept && judge_outcome(judge)->code != 6 &&
	    !was_any_killed(judge))
		judge_complain(judge, 6, "status-code", guest,
			       "%s is suspended against its will, and status returns %d", name,
			       judge_outcome(judge)->code);
}

void judge_status(struct judge *judge)
{
	struct json_object *status;

	if (!step_is(judge_step(judge), "status") || !step_has(judge_step(judge), "--json") ||
	    judge_outcome(judge)->code == 2)
		return;
	status = printed_object(judge_outcome(judge));
	if (!status)
		judge_complain(judge, 0, "status-no-json", -1, "status prints no JSON object");
	for (size_t i = 0; status && i < judge->history->world->n_guests; i++)
		judge_status_of(judge, status, (int)i);
	json_object_put(status);
}
