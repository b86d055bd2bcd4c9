/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/job.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/error.h"
#include "model/cycle.h"
#include "model/loop.h"
#include "host/battery.h"
#include "host/host.h"
#include "host/lid.h"
#include "record/report-store.h"
#include "record/report.h"
#include "engine/backoff.h"
#include "engine/context.h"
#include "engine/recover.h"
#include "engine/suspend.h"

enum job_result job_result_of_error(const struct error *error)
{
	switch (error->outcome) {
	case OUTCOME_UNEXPECTED:
		break;
	case OUTCOME_USAGE:
	case OUTCOME_NOT_FOUND:
		return JOB_RESULT_INVALID;
	case OUTCOME_UNSUPPORTED:
	case OUTCOME_NOT_PERMITTED:
		return JOB_RESULT_UNSUPPORTED;
	case OUTCOME_BUSY:
		return JOB_RESULT_BUSY;
	case OUTCOME_UNRECOVERABLE:
		return JOB_RESULT_STRANDED;
	}
	return JOB_RESULT_ROLLED_BACK;
}

enum job_result job_result_of_report(const struct report *report)
{
	if (report_stranded(report))
		return JOB_RESULT_STRANDED;
	switch (report->result) {
	case RESULT_OK:
		return JOB_RESULT_DONE;
	case RESULT_DEGRADED:
		return JOB_RESULT_DEGRADED;
	case RESULT_FAILED:
		break;
	}
	return JOB_RESULT_ROLLED_BACK;
}

enum job_result job_result_of_number(int number)
{
	return number >= JOB_RESULT_DONE && number <= JOB_RESULT_STRANDED ? (enum job_result)number
									  : JOB_RESULT_ROLLED_BACK;
}

void job_outcome_of_error(const struct error *error, struct job_outcome *ret_outcome)
{
	*ret_outcome = (struct job_outcome){
		.result = job_result_of_error(error),
	};
	snprintf(ret_outcome->message, sizeof(ret_outcome->message), "%s", error_text(error));
}

void job_outcome_done(struct job_outcome *outcome)
{
	if (!outcome)
		return;
	report_free(outcome->report);
	outcome->report = NULL;
}

static void stop_watching_lid(struct coordinator *coordinator)
{
	lid_free(coordinator->lid);
	coordinator->lid = NULL;
}

/*
 * Starts to watch the lid. With AbortOnLidOpen=, opening the lid from now on
 * aborts the cycle. Opens the lid's device if none is open, or if the open one was
 * removed. Resets the back-off if the lid was opened since the failed sleep, or is
 * not closed now.
 */
static void start_watching_lid(struct coordinator *coordinator)
{
	if (lid_is_gone(coordinator->lid)) {
		stop_watching_lid(coordinator);
		coordinator->lid = lid_open(coordinator->roots->dev);
	}
	if (!lid_is_closed(coordinator->lid) || lid_was_opened(coordinator->lid))
		backoff_forget(coordinator->roots->run);
	lid_restart(coordinator->lid);
}

/*
 * Runs a cycle that systemd requested, e.g. because the lid was closed. If the
 * last sleep failed a short time ago and the battery is not low, returns -EAGAIN
 * and runs no cycle.
 */
static int run_with_backoff(struct coordinator *coordinator, const struct cycle_params *params,
			    struct report **ret_report, struct error *error)
{
	const char *run = coordinator->roots->run;
	char reason[ERROR_TEXT_MAX];
	int r = 0;

	if (!battery_is_low(coordinator->roots->sys,
			    (unsigned int)coordinator->config->low_battery_percent))
		r = backoff_check(run, loop_now(coordinator->loop), error);
	if (r < 0)
		return r; /* the lid's device stays open, see struct coordinator */
	r = coordinator_suspend(coordinator, params, ret_report, error);
	if ((r < 0 || (*ret_report && (*ret_report)->result == RESULT_FAILED)) &&
	    lid_is_closed(coordinator->lid) && !lid_was_opened(coordinator->lid)) {
		snprintf(reason, sizeof(reason), "%s", error_text(error));
		if (r == 0)
			report_explain(*ret_report, reason, sizeof(reason));
		/* If this fails, the next attempt is made without a delay. */
		backoff_note_failure(run, loop_now(coordinator->loop), reason);
		return r;
	}
	if (r == 0)
		backoff_forget(run);
	stop_watching_lid(coordinator);
	return r;
}

/*
 * Refuses a sleep by systemd while a guest serves a mounted disk. systemd
 * starts programs and syncs file systems while all guests are suspended, and
 * would hang on that disk. This process itself needs no disk.
 */
static int check_systemd_keeps_disks(const struct coordinator *coordinator, struct error *error)
{
	struct host host = { 0 };

	host_read_disks("", coordinator->roots->sys, &host);
	if (!host.guest_disk[0])
		return 0;
	return error_refuse(
		error, OUTCOME_UNSUPPORTED,
		"%s is mounted from %s, a disk that a guest serves, and systemd would hang on this disk while the guest is suspended; use 'pmcoord suspend-all', which puts the host to sleep without systemd",
		host.guest_disk_mount, host.guest_disk);
}

/*
 * Runs a cycle that a user requested, and watches the lid if the cycle includes
 * the host's sleep.
 */
static int run_without_backoff(struct coordinator *coordinator, const struct cycle_params *params,
			       struct report **ret_report, struct error *error)
{
	int r;

	if (params->sleeper)
		start_watching_lid(coordinator);
	r = coordinator_suspend(coordinator, params, ret_report, error);
	if (params->sleeper)
		stop_watching_lid(coordinator);
	return r;
}

static struct cycle_params params_of(const struct job *job, struct sleeper *sleeper)
{
	const struct job_kind *kind = job_kind(job->verb);

	return (struct cycle_params){
		.trigger = kind->name,
		.sleeper = job_sleeps(job) ? sleeper : NULL,
		.names = job->names,
		.n_names = job->n_names,
		.force = job->force,
		.resumes_at_once = kind->in_series,
		.is_measurement = kind->is_measurement,
	};
}

/*
 * Sets `result`, `message` and `kept_suspended` of the outcome. The outcome must
 * already have its report.
 */
static void take_report(const struct cycle_params *params, struct job_outcome *outcome)
{
	outcome->result = job_result_of_report(outcome->report);
	report_explain(outcome->report, outcome->message, sizeof(outcome->message));
	outcome->kept_suspended = !params->sleeper && !params->resumes_at_once &&
				  outcome->result != JOB_RESULT_ROLLED_BACK;
}

static int run_suspend(struct coordinator *coordinator, const struct job *job,
		       struct sleeper *sleeper, struct job_outcome *outcome, struct error *error)
{
	struct cycle_params params = params_of(job, sleeper);
	int r = run_without_backoff(coordinator, &params, &outcome->report, error);

	if (r == 0 && outcome->report)
		take_report(&params, outcome);
	return r;
}

static int run_sleep(struct coordinator *coordinator, const struct job *job,
		     struct sleeper *sleeper, struct job_outcome *outcome, struct error *error)
{
	struct cycle_params params = params_of(job, sleeper);
	int r = check_systemd_keeps_disks(coordinator, error);

	if (r < 0) {
		outcome->report = coordinator_report_refusal(coordinator, &params, error);
		return r;
	}
	start_watching_lid(coordinator);
	r = run_with_backoff(coordinator, &params, &outcome->report, error);
	if (r == 0 && outcome->report)
		take_report(&params, outcome);
	return r;
}

static void take_result(const struct resume_result *result, struct job_outcome *outcome)
{
	outcome->n_resumed = result->n_resumed;
	outcome->report = result->report;
	if (result->n_stranded > 0) {
		outcome->result = JOB_RESULT_STRANDED;
		snprintf(
			outcome->message, sizeof(outcome->message),
			"%s could not be resumed: see 'pmcoord report', then try 'pmcoord resume-all'",
			result->stranded);
	} else if (result->degraded) {
		outcome->result = JOB_RESULT_DEGRADED;
		if (result->report)
			report_explain(result->report, outcome->message, sizeof(outcome->message));
		if (!outcome->message[0])
			snprintf(outcome->message, sizeof(outcome->message),
				 "a cycle is degraded: see 'pmcoord report'");
	}
}

static int run_resume(struct coordinator *coordinator, const struct job *job,
		      struct sleeper *sleeper, struct job_outcome *outcome, struct error *error)
{
	struct resume_result result;
	int r = coordinator_resume(coordinator, job->names, job->n_names, job->force, &result,
				   error);

	(void)sleeper;
	if (r < 0)
		return r;
	take_result(&result, outcome);
	return 0;
}

static int run_recover(struct coordinator *coordinator, const struct job *job,
		       struct sleeper *sleeper, struct job_outcome *outcome, struct error *error)
{
	struct resume_result result;
	int r = coordinator_recover(coordinator, &result, error);

	(void)job;
	(void)sleeper;
	if (r == 0)
		take_result(&result, outcome);
	else
		report_free(result.report);
	/* The report names a degraded guest; the recovery itself is done. */
	if (outcome->result == JOB_RESULT_DEGRADED) {
		outcome->result = JOB_RESULT_DONE;
		outcome->message[0] = '\0';
	}
	report_store_flush(coordinator->roots, coordinator->config->keep_reports);
	return r;
}

static const struct job_kind kinds[JOB_N_VERBS] = {
	[JOB_SUSPEND_ALL] = {
		.name = "suspend-all",
		.method = "SuspendAll",
		.sleep = JOB_SLEEPS_UNLESS_GUESTS_ONLY,
		.sleeper = SLEEPER_SYSFS,
		.run = run_suspend,
	},
	[JOB_SUSPEND] = {
		.name = "suspend",
		.method = "Suspend",
		.names_guests = true,
		.run = run_suspend,
	},
	[JOB_RESUME_ALL] = {
		.name = "resume-all",
		.method = "ResumeAll",
		.resumes = true,
		.run = run_resume,
	},
	[JOB_RESUME] = {
		.name = "resume",
		.method = "Resume",
		.names_guests = true,
		.resumes = true,
		.run = run_resume,
	},
	[JOB_SLEEP] = {
		.name = "sleep",
		.method = "Sleep",
		.waits = true,
		.sleep = JOB_SLEEPS_ALWAYS,
		.sleeper = SLEEPER_SYSTEMD,
		.run = run_sleep,
	},
	[JOB_RECOVER] = {
		.name = "recover",
		.waits = true,
		.run = run_recover,
	},
	[JOB_CYCLE] = {
		.name = "cycle",
		.method = "Cycle",
		.in_series = true,
		.sleep = JOB_SLEEPS_ON_REQUEST,
		.sleeper = SLEEPER_ALARM,
		.run = run_suspend,
	},
	[JOB_BENCH] = {
		.name = "bench",
		.method = "Bench",
		.names_guests = true,
		.in_series = true,
		.is_measurement = true,
		.run = run_suspend,
	},
};

const struct job_kind *job_kind(enum job_verb verb)
{
	assert(verb < JOB_N_VERBS);
	return &kinds[verb];
}

int job_verb_of_method(const char *method, enum job_verb *ret_verb)
{
	assert(method && ret_verb);
	for (size_t i = 0; i < JOB_N_VERBS; i++) {
		if (!kinds[i].method || strcmp(kinds[i].method, method) != 0)
			continue;
		*ret_verb = (enum job_verb)i;
		return 0;
	}
	return -ENOENT;
}

bool job_sleeps(const struct job *job)
{
	switch (job_kind(job->verb)->sleep) {
	case JOB_SLEEPS_NEVER:
		break;
	case JOB_SLEEPS_ALWAYS:
		return true;
	case JOB_SLEEPS_UNLESS_GUESTS_ONLY:
		return !job->guests_only;
	case JOB_SLEEPS_ON_REQUEST:
		return job->with_sleep;
	}
	return false;
}

void job_run(struct coordinator *coordinator, const struct job *job, struct sleeper *sleeper,
	     struct job_outcome *ret_outcome)
{
	struct error error = { 0 };
	struct report *report;

	assert(coordinator && job && (sleeper || !job_sleeps(job)) && ret_outcome);
	*ret_outcome = (struct job_outcome){ .result = JOB_RESULT_DONE };
	if (job_kind(job->verb)->run(coordinator, job, sleeper, ret_outcome, &error) == 0)
		return;
	report = ret_outcome->report; /* of a refused sleep */
	job_outcome_of_error(&error, ret_outcome);
	ret_outcome->report = report;
}
