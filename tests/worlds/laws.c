/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/laws.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/worlds/cause.h"
#include "tests/worlds/printed.h"

const struct world_step *judge_step(const struct judge *judge)
{
	return &judge->history->world->steps[judge->step];
}

const struct outcome *judge_outcome(const struct judge *judge)
{
	return &judge->history->outcomes[judge->step];
}

const char *judge_name(const struct judge *judge, int guest)
{
	return judge->history->world->guests[guest].name;
}

static bool fails_to_look(const struct settings *settings)
{
	const char *verb = settings_get(settings, "Fail");
	size_t length = strcspn(verb, ":");

	return (length == 4 && strncmp(verb, "look", 4) == 0) ||
	       (length == 9 && strncmp(verb, "inventory", 9) == 0) ||
	       (length == 21 && strncmp(verb, "xc_domain_getinfolist", 21) == 0);
}

bool judge_cannot_look(const struct judge *judge, int guest)
{
	const struct world *world = judge->history->world;

	return fails_to_look(&world->host) || fails_to_look(&world->guests[guest].settings);
}

bool judge_may_fail(const struct judge *judge, int guest)
{
	const struct world *world = judge->history->world;

	if (settings_get(&world->host, "Fail")[0] ||
	    settings_get(&world->host, "StoreLostAfter")[0])
		return true;
	for (size_t i = 0; i < world->n_guests; i++) {
		const struct settings *settings = &world->guests[i].settings;

		if (guest >= 0 && (size_t)guest != i)
			continue;
		if (settings_get(settings, "Fail")[0] ||
		    strcmp(settings_get(settings, "Behaviour"), "fails-to-resume") == 0)
			return true;
	}
	return false;
}

/*
 * A complaint about the same guest in an earlier step is the cause of this one, as far
 * as one can tell; so is the same complaint in this step.
 */
static bool is_known(const struct judge *judge, const char *kind, int guest)
{
	for (size_t i = 0; i < judge->verdict->n; i++) {
		const struct complaint *complaint = &judge->verdict->complaints[i];

		if (complaint->guest == guest &&
		    (complaint->step < judge->step || strcmp(complaint->kind, kind) == 0))
			return true;
	}
	return false;
}

void judge_complain(struct judge *judge, int law, const char *kind, int guest, const char *format,
		    ...)
{
	struct complaint *complaint = &judge->verdict->complaints[judge->verdict->n];
	va_list arguments;

	if (judge->verdict->n == COMPLAINTS_MAX || is_known(judge, kind, guest))
		return;
	judge->verdict->n++;
	*complaint = (struct complaint){
		.law = law,
		.guest = guest,
		.step = judge->step,
	};
	snprintf(complaint->kind, sizeof(complaint->kind), "%s", kind);
	va_start(arguments, format);
	vsnprintf(complaint->text, sizeof(complaint->text), format, arguments);
	va_end(arguments);
	/* It may quote a message of several lines. */
	for (char *end = complaint->text; (end = strchr(end, '\n'));)
		*end = ' ';
	cause_describe(judge->history, judge->step, guest, complaint->cause,
		       sizeof(complaint->cause));
}

/* After a resume-all that was not refused, no guest is kept on purpose. */
static bool releases_all(const struct judge *judge)
{
	const struct outcome *outcome = judge_outcome(judge);

	return step_is(judge_step(judge), "resume-all") && !outcome->was_killed &&
	       (outcome->code == 0 || outcome->code == 3 || outcome->code == 6);
}

static void set_kept(const struct judge *judge, struct domain *domain)
{
	domain->is_kept = domain_is_held(domain) || domain->may_suspend;
	domain->is_kept_perhaps = judge_outcome(judge)->was_killed;
}

/* The user wants the guest back, also if it could not be resumed. */
static bool is_wanted(const struct judge *judge, size_t guest)
{
	const struct outcome *outcome = judge_outcome(judge);

	return step_is(judge_step(judge), "resume") &&
	       step_has(judge_step(judge), judge_name(judge, (int)guest)) && !outcome->was_killed &&
	       (outcome->code == 0 || outcome->code == 3 || outcome->code == 6);
}

/*
 * Whether the command has suspended the guest, or found that a late answer to an earlier request
 * has. Only suspend-all wants all guests suspended.
 */
static bool was_suspended_for_user(const struct judge *judge, const struct domain *domain)
{
	return domain->was_requested || domain->was_paused ||
	       (domain->was_suspended && step_is(judge_step(judge), "suspend-all"));
}

/*
 * After a command that suspends guests for the user, they are kept on purpose, also if
 * others could not be resumed before (code 6), unless its cycle has failed. A killed one may have
 * come that far or not.
 */
static void note_kept(struct judge *judge)
{
	const struct world_step *step = judge_step(judge);
	int code = judge_outcome(judge)->code;
	bool keeps = (step_is(step, "suspend") || step_has(step, "--guests-only")) &&
		     step_is_command(step) && !printed_failure(judge_outcome(judge));

	if (!step_is_command(step))
		return;
	for (size_t i = 0; i < judge->history->world->n_guests; i++) {
		struct domain *domain = &judge->domains.domains[i];

		if (domain->resume_failed || releases_all(judge) || is_wanted(judge, i))
			domain->is_kept = false;
		else if (keeps && was_suspended_for_user(judge, domain) &&
			 (code == 0 || code == 3 || code == 6 || judge_outcome(judge)->was_killed))
			set_kept(judge, domain);
	}
}

static void judge_end_of_step(struct judge *judge)
{
	note_kept(judge);
	if (!step_is_command(judge_step(judge)) || judge_outcome(judge)->was_killed)
		return;
	judge_codes(judge);
	judge_held(judge);
	judge_deadline(judge);
	judge_truth(judge);
	judge_report(judge);
	judge_status(judge);
}

void laws_judge(const struct history *history, struct verdict *ret_verdict)
{
	struct judge judge = { .history = history, .verdict = ret_verdict };

	ret_verdict->n = 0;
	domains_init(&judge.domains, history->world);
	for (judge.step = 0; judge.step < history->n_outcomes; judge.step++) {
		const struct outcome *outcome = judge_outcome(&judge);

		domains_begin_step(&judge.domains, judge.step);
		for (size_t i = outcome->first; i < outcome->end; i++) {
			judge_order(&judge, &history->happenings[i]);
			judge_touch(&judge, &history->happenings[i]);
			domains_apply(&judge.domains, &history->happenings[i]);
		}
		judge_end_of_step(&judge);
	}
}
