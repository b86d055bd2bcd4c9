/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Laws 4 and 6: the sleep is not held up, and the truth is told about it. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/worlds/laws.h"
#include "tests/worlds/printed.h"

static bool runs_a_sleep(const struct world_step *step)
{
	return (step_is(step, "suspend-all") && !step_has(step, "--guests-only") &&
		!step_has(step, "--dry-run")) ||
	       step_is(step, "sleep-unit");
}

/* ---- law 4 -------------------------------------------------------------- */

/* The time by which all guests must be suspended, counted from the first request. */
static uint64_t deadline_of(const struct judge *judge)
{
	const struct world *world = judge->history->world;
	const char *option = strstr(judge_step(judge)->text, "--timeout=");
	uint64_t deadline_us = 30000000;
	char value[16] = "";

	world_parse_duration(world_config_get(world, -1, "Deadline"), &deadline_us);
	if (option) {
		strncat(value, option + 10, strcspn(option + 10, " "));
		world_parse_duration(value, &deadline_us);
	}
	return deadline_us;
}

/* Whether the user or the host allows that the host stays awake. */
static bool may_stay_awake(const struct judge *judge)
{
	const struct world *world = judge->history->world;
	const char *fail = settings_get(&world->host, "Fail");

	return settings_get(&world->host, "S3")[0] ||
	       world_config_has(world, "OnFailure", "abort") ||
	       world_config_has(world, "OnDeadline", "abort") || fail[0] ||
	       settings_get(&world->host, "StoreLostAfter")[0] ||
	       step_has(judge_step(judge), "--config=/dev/null/none");
}

void judge_deadline(struct judge *judge)
{
	const struct domains *domains = &judge->domains;
	uint64_t deadline_us = deadline_of(judge), took_us;

	if (!runs_a_sleep(judge_step(judge)))
		return;
	if (!domains->slept && !may_stay_awake(judge))
		judge_complain(judge, 4, "stays-awake", -1,
			       "the host does not sleep, and exit code %d says why",
			       judge_outcome(judge)->code);
	if (!domains->slept || domains->first_touch_us == 0)
		return;
	took_us = domains->sleep_us - domains->first_touch_us;
	if (took_us > deadline_us + 1000000)
		judge_complain(judge, 4, "sleeps-late", -1,
			       "the host sleeps %" PRIu64
			       " ms after the first request, the deadline is %" PRIu64 " ms",
			       took_us / 1000, deadline_us / 1000);
}

/* ---- law 6 -------------------------------------------------------------- */

/* What went wrong with a guest in this step. */
struct wrong {
	const char *kind;
	const char *what;
};

static bool suspends_all(const struct world_step *step)
{
	return step_is(step, "suspend-all") && step_has(step, "--guests-only") &&
	       !step_has(step, "--dry-run");
}

/* Returns the first thing that went wrong, or a kind of NULL. */
static struct wrong find_wrong(const struct judge *judge, size_t guest)
{
	const struct domains *domains = &judge->domains;
	const struct domain *domain = &domains->domains[guest];
	const char *behaviour =
		settings_get(&judge->history->world->guests[guest].settings, "Behaviour");
	bool took_part = domain->was_requested || domain->was_paused || domains->slept;

	if (domain->ran_through && domains->policies[guest] != POLICY_IGNORES)
		return (struct wrong){ "ran-through", "ran while the host slept" };
	if (domain->was_paused && !domain->was_being_built)
		return (struct wrong){ "paused", "was paused by pmcoord" };
	if (suspends_all(judge_step(judge)) && domain_runs(domain) && !domain->has_appeared &&
	    !domain->was_saved && domains->policies[guest] != POLICY_IGNORES &&
	    !printed_failure(judge_outcome(judge)))
		return (struct wrong){ "running", "runs" };
	if (domain->has_died && took_part && !domain->has_appeared)
		return (struct wrong){ "died", "has died" };
	if (domain->has_appeared && domains->slept && domains->policies[guest] != POLICY_IGNORES)
		return (struct wrong){ "appeared", "has appeared" };
	if (domain->was_quiesced && domain->was_resumed &&
	    (strcmp(behaviour, "comes-back-degraded") == 0 || !domain->was_restored) &&
	    domain->exists)
		return (struct wrong){ "not-ready", "did not report its devices as restored" };
	return (struct wrong){ 0 };
}

static void judge_guest(struct judge *judge, size_t guest)
{
	const struct outcome *outcome = judge_outcome(judge);
	struct wrong wrong = find_wrong(judge, guest);
	const char *name = judge_name(judge, (int)guest);
	char kind[32];

	if (!wrong.kind)
		return;
	snprintf(kind, sizeof(kind), "ok-but-%s", wrong.kind);
	if (outcome->code == 0)
		judge_complain(judge, 6, kind, (int)guest, "%s %s, and the exit code is 0", name,
			       wrong.what);
	snprintf(kind, sizeof(kind), "silent-%s", wrong.kind);
	if ((outcome->code == 3 || (outcome->code == 6 && judge->domains.first_touch_us > 0)) &&
	    !step_is(judge_step(judge), "cycle") && !printed_names(outcome, name))
		judge_complain(judge, 6, kind, (int)guest, "%s %s, and is not named", name,
			       wrong.what);
}

/* Whether the report calls the guest's part of the cycle worse than as planned. */
static bool is_called_bad(const struct judge *judge, const char *name)
{
	struct json_object *report = printed_report(judge_outcome(judge)), *degraded;
	struct json_object *entry = report_guest_named(report, name);
	const char *outcome = json_text(entry, "outcome");
	bool found = strcmp(outcome, "paused") == 0 || strcmp(outcome, "failed") == 0 ||
		     (json_object_object_get_ex(entry, "degraded", &degraded) &&
		      json_object_get_boolean(degraded));

	json_object_put(report);
	return found;
}

/*
 * Whether the guest has appeared during the cycle, which is named and is degraded. The cycle
 * begins before its first touch, and only its report can say that it had begun.
 */
static bool is_newcomer(const struct judge *judge, const struct domain *domain, const char *name)
{
	struct json_object *report = printed_report(judge_outcome(judge)), *appeared;
	struct json_object *entry = report_guest_named(report, name);
	bool says_so = json_object_object_get_ex(entry, "appeared", &appeared) &&
		       json_object_get_boolean(appeared);

	json_object_put(report);
	return domain->has_appeared || (domain->has_come && says_so);
}

/*
 * "A guest that is being built (never unpaused) gets a pause of ours until the wake and is named;
 * that is not degraded."
 */
static void judge_unbuilt(struct judge *judge, int guest)
{
	const struct domain *domain = &judge->domains.domains[guest];
	const char *name = judge_name(judge, guest);

	if (!domain->was_being_built || judge->domains.policies[guest] == POLICY_IGNORES)
		return;
	if (domain->slept_unheld && !domain->pause_failed && !judge_cannot_look(judge, guest))
		judge_complain(judge, 1, "unbuilt-not-paused", guest,
			       "%s is being built, and the host sleeps without a pause of it",
			       name);
	if (!step_is(judge_step(judge), "cycle") && judge->domains.slept &&
	    !printed_names(judge_outcome(judge), name))
		judge_complain(judge, 6, "silent-being-built", guest,
			       "%s was being built when the host slept, and is not named", name);
	if (!step_is(judge_step(judge), "cycle") && judge->domains.slept && domain->was_paused &&
	    !is_newcomer(judge, domain, name) && !domain->has_died && !domain->was_requested &&
	    !domain->pause_failed && !domain->resume_failed && is_called_bad(judge, name))
		judge_complain(judge, 6, "degraded-being-built", guest,
			       "%s was paused because it is being built, and counts as degraded",
			       name);
}

/* Or may be any moment, because of a request that it has acknowledged. */
static bool any_is_held(const struct judge *judge)
{
	for (size_t i = 0; i < judge->history->world->n_guests; i++)
		if ((domain_is_held(&judge->domains.domains[i]) &&
		     (!judge->domains.domains[i].is_kept ||
		      judge->domains.domains[i].is_kept_perhaps)) ||
		    judge->domains.domains[i].may_suspend)
			return true;
	return false;
}

/* The exit code against the sleep. */
static void judge_sleep(struct judge *judge)
{
	int code = judge_outcome(judge)->code;
	bool slept = judge->domains.slept;

	if (code == 0 && !slept)
		judge_complain(judge, 6, "ok-but-awake", -1,
			       "the host did not sleep, and the exit code is 0");
	if (code == 3 && !slept)
		judge_complain(judge, 6, "degraded-but-awake", -1,
			       "the host did not sleep, and the exit code is 3");
	if (code == 1 && slept)
		judge_complain(judge, 6, "failed-but-slept", -1,
			       "the host slept, and the exit code is 1: failed, host awake");
	if (code == 4 && slept)
		judge_complain(judge, 6, "unsupported-but-slept", -1,
			       "the host slept, and the exit code is 4");
}

void judge_truth(struct judge *judge)
{
	const struct world_step *step = judge_step(judge);

	if (judge_outcome(judge)->code == 2 ||
	    !(runs_a_sleep(step) || step_is(step, "suspend") || step_has(step, "--guests-only") ||
	      step_is(step, "cycle")))
		return;
	if (runs_a_sleep(step))
		judge_sleep(judge);
	for (size_t i = 0; i < judge->history->world->n_guests; i++) {
		judge_guest(judge, i);
		judge_unbuilt(judge, (int)i);
	}
	if (judge_outcome(judge)->code == 6 && !any_is_held(judge))
		judge_complain(judge, 6, "stranded-for-nothing", -1,
			       "no guest is suspended against its will, and the exit code is 6");
}
