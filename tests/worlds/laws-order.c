/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Laws 1 and 3: the order, and whose guests are touched. */

#include <stdbool.h>
#include <string.h>

#include "tests/worlds/laws.h"

/* ---- order -------------------------------------------------------------- */

/*
 * What cannot be known: another domain appears while the domains are read, or suspends while
 * others are resumed.
 */
#define UNKNOWABLE_US 1000

static bool has_just_appeared(const struct domain *domain, uint64_t now_us)
{
	return domain->has_come && now_us < domain->appeared_us + UNKNOWABLE_US;
}

/* Whether guest `a` still runs when guest `b`, which it needs, gets a request or a pause. */
static bool is_passed_over(const struct judge *judge, size_t a, size_t b, uint64_t now_us)
{
	const struct domains *domains = &judge->domains;
	const struct domain *domain = &domains->domains[a];

	return domains->needs[a][b] && domain_runs(domain) &&
	       domains->policies[a] != POLICY_IGNORES && !domain->is_saved &&
	       !domain->pause_failed && !has_just_appeared(domain, now_us);
}

/* The fault is another one if the guest had appeared before the cycle began. */
static bool is_newcomer(const struct judge *judge, const struct domain *domain, uint64_t now_us)
{
	uint64_t begin_us = judge->domains.cycle_touch_us;

	return domain->has_come && domain->appeared_us >= (begin_us > 0 ? begin_us : now_us);
}

static void judge_suspend_order(struct judge *judge, size_t b, uint64_t now_us)
{
	for (size_t a = 0; a < judge->history->world->n_guests; a++) {
		const struct domain *domain = &judge->domains.domains[a];
		const char *kind = domain->is_leaving ? "leaving-passed-over"
				   : is_newcomer(judge, domain, now_us)
					   ? "newcomer-passed-over"
					   : "suspended-before-dependent";

		if (is_passed_over(judge, a, b, now_us))
			judge_complain(judge, 1, kind, (int)a,
				       "%s is suspended while %s, which needs it, runs",
				       judge_name(judge, (int)b), judge_name(judge, (int)a));
	}
}

/* The fault is another one if both were not suspended by the same cycle, or one of them late. */
static const char *resume_kind(const struct judge *judge, size_t a, size_t b)
{
	const struct domain *domains = judge->domains.domains;

	if (domains[b].is_late)
		return "late-resumed-first";
	return domains[a].touched_in == domains[b].touched_in ? "resumed-before-needed"
							      : "cycles-resumed-first";
}

static bool has_just_suspended(const struct domain *domain, uint64_t now_us)
{
	return domain->is_late && now_us < domain->suspended_us + UNKNOWABLE_US;
}

static void judge_resume_order(struct judge *judge, size_t a, uint64_t now_us)
{
	bool resumes =
		step_is(judge_step(judge), "resume") || step_is(judge_step(judge), "resume-all");

	for (size_t b = 0; b < judge->history->world->n_guests; b++) {
		const struct domain *domain = &judge->domains.domains[b];

		/* Its user keeps `b` suspended, in spite of `a`: by --force. */
		if ((domain->is_kept && !resumes) || has_just_suspended(domain, now_us))
			continue;
		if (judge->domains.needs[a][b] && domain_is_held(domain) &&
		    !domain->resume_failed && !judge_may_fail(judge, (int)b))
			judge_complain(judge, 1, resume_kind(judge, a, b), (int)b,
				       "%s is resumed while %s, which it needs, is not",
				       judge_name(judge, (int)a), judge_name(judge, (int)b));
	}
}

void judge_order(struct judge *judge, const struct happening *happening)
{
	if (happening->guest < 0 || step_has(judge_step(judge), "--force"))
		return;
	if (happening->type == HAPPENS_REQUESTED || happening->type == HAPPENS_PAUSED)
		judge_suspend_order(judge, (size_t)happening->guest, happening->at_us);
	if (happening->type == HAPPENS_RESUMED || happening->type == HAPPENS_UNPAUSED)
		judge_resume_order(judge, (size_t)happening->guest, happening->at_us);
}

/* ---- whose guests are touched ------------------------------------------- */

static bool is_our_verb(enum happening_type type)
{
	return type < HAPPENS_ACKNOWLEDGED;
}

static bool only_looks(const struct world_step *step)
{
	return step_is(step, "status") || step_is(step, "report") || step_is(step, "list") ||
	       step_is(step, "plan") || step_has(step, "--dry-run");
}

/* Whether the guest is named, or needs a named one, directly or through others. */
static bool is_selected(const struct judge *judge, size_t guest)
{
	const struct world_step *step = judge_step(judge);
	size_t n = judge->history->world->n_guests;
	bool chosen[WORLD_GUESTS_MAX];

	for (size_t i = 0; i < n; i++)
		chosen[i] = step_has(step, judge_name(judge, (int)i));
	/* As many rounds as the longest chain of guests. Loops are left to the plan. */
	for (size_t round = 0; round < n && !step_has(step, "--force"); round++)
		for (size_t a = 0; a < n; a++)
			for (size_t b = 0; b < n; b++)
				chosen[a] |= chosen[b] && judge->domains.linked[a][b];
	return chosen[guest];
}

static void judge_suspend(struct judge *judge, int guest)
{
	const struct domain *domain = &judge->domains.domains[guest];
	const char *name = judge_name(judge, guest);

	if (domain->is_saved)
		judge_complain(judge, 3, "touched-saved", guest,
			       "%s is being saved, and is suspended by pmcoord", name);
	if (judge->domains.policies[guest] == POLICY_IGNORES)
		judge_complain(judge, 3, "touched-ignored", guest,
			       "%s is to be ignored, and is suspended by pmcoord", name);
	if (step_is(judge_step(judge), "suspend") && !is_selected(judge, (size_t)guest))
		judge_complain(judge, 3, "touched-unnamed", guest,
			       "%s was not named, and is suspended", name);
}

void judge_touch(struct judge *judge, const struct happening *happening)
{
	const struct domain *domain;
	bool is_seen_paused;
	const char *name;
	int guest = happening->guest;

	/* With --force, its user wants it back more than its image. */
	if (happening->type == HAPPENS_SAVE_BROKEN && !judge->domains.domains[guest].is_forced)
		judge_complain(judge, 3, "save-broken", guest,
			       "%s was saved by others, and ran while its image was written",
			       judge_name(judge, guest));
	if (guest < 0 || !is_our_verb(happening->type))
		return;
	domain = &judge->domains.domains[guest];
	name = judge_name(judge, guest);
	if (only_looks(judge_step(judge)))
		judge_complain(judge, 3, "looking-touches", guest,
			       "a command that only looks has changed %s", name);
	if (happening->type == HAPPENS_REQUESTED || happening->type == HAPPENS_PAUSED)
		judge_suspend(judge, guest);
	is_seen_paused = domain->user_pauses > 0 && !judge_cannot_look(judge, guest);
	if (happening->type == HAPPENS_REQUESTED && is_seen_paused)
		judge_complain(judge, 3, "requested-paused", guest,
			       "%s is paused by its user, and gets a request", name);
	if (happening->type == HAPPENS_PAUSED && is_seen_paused)
		judge_complain(judge, 3, "paused-paused", guest,
			       "%s is paused by its user, and is paused by pmcoord, too", name);
	/* With --force, its user wants it back, whoever has suspended it. */
	if (happening->type == HAPPENS_RESUMED && domain->suspended == SUSPENDED_BY_OTHERS &&
	    !step_has(judge_step(judge), "--force"))
		judge_complain(judge, 3, "resumed-theirs", guest,
			       "%s was suspended by others, and is resumed", name);
	if (happening->type == HAPPENS_UNPAUSED && domain->our_pauses == 0)
		judge_complain(judge, 3, "unpaused-theirs", guest,
			       "%s was not paused by pmcoord, and is unpaused", name);
}
