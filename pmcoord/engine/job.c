/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/backoff.h"
#include "host/battery.h"
#include "pmcoord/enum-name.h"
#include "host/host.h"
#include "host/lid.h"
#include "record/report.h"
#include "engine/recover.h"
#include "engine/suspend.h"

static const char *const verb_names[] = {
	[JOB_SUSPEND_ALL] = "suspend-all",
	[JOB_SUSPEND] = "suspend",
	[JOB_RESUME_ALL] = "resume-all",
	[JOB_RESUME] = "resume",
	[JOB_SLEEP] = "sleep",
	[JOB_RECOVER] = "recover",
	[JOB_CYCLE] = "cycle",
	[JOB_BENCH] = "bench",
};
ENUM_COMPLETE(verb_names, JOB_BENCH);

const char *job_verb_name(enum job_verb verb)
{
	return ENUM_NAME(verb_names, verb);
}

bool job_names_guests(enum job_verb verb)
{
	return verb == JOB_SUSPEND || verb == JOB_RESUME || verb == JOB_BENCH;
}

bool job_sleeps(const struct job *job)
{
	return job->verb == JOB_SLEEP || (job->verb == JOB_SUSPEND_ALL && !job->guests_only) ||
	       (job->verb == JOB_CYCLE && job->with_sleep);
}

bool job_is_rehearsal(const struct job *job)
{
	return job->verb == JOB_CYCLE || job->verb == JOB_BENCH;
}

enum exit_code exit_code_of_error(const struct error *error)
{
	static const struct {
		int number;
		enum exit_code code;
	} codes[] = {
		{ EPERM, EXIT_UNSUPPORTED },
		{ EACCES, EXIT_UNSUPPORTED },
		{ ENODEV, EXIT_UNSUPPORTED },
		{ ECONNREFUSED, EXIT_UNSUPPORTED },
		{ EPROTO, EXIT_UNSUPPORTED },
		{ EOPNOTSUPP, EXIT_UNSUPPORTED },
		{ EBUSY, EXIT_BUSY },
		{ ENOENT, EXIT_USAGE },
		{ EBADMSG, EXIT_USAGE },
		{ EINVAL, EXIT_USAGE },
		{ ENOTRECOVERABLE, EXIT_STRANDED },
	};

	for (size_t i = 0; i < ELEMENTSOF(codes); i++)
		if (error->number == -codes[i].number)
			return codes[i].code;
	return EXIT_ROLLED_BACK;
}

enum exit_code exit_code_of_report(struct json_object *report)
{
	if (report_stranded(report))
		return EXIT_STRANDED;
	switch (report_result(report)) {
	case RESULT_OK:
		return EXIT_AS_PLANNED;
	case RESULT_DEGRADED:
		return EXIT_DEGRADED;
	case RESULT_FAILED:
		break;
	}
	return EXIT_ROLLED_BACK;
}

void job_outcome_of_error(const struct error *error, struct job_outcome *ret_outcome)
{
	*ret_outcome = (struct job_outcome){
		.code = exit_code_of_error(error),
	};
	snprintf(ret_outcome->message, sizeof(ret_outcome->message), "%s", error_text(error));
}

void job_outcome_done(struct job_outcome *outcome)
{
	json_object_put(outcome->report);
	outcome->report = NULL;
}

static void end_watching_lid(struct coordinator *coordinator)
{
	lid_free(coordinator->lid);
	coordinator->lid = NULL;
}

/*
 * Before anything is begun: opened from here on, it ends the cycle. One that
 * was kept since a sleep failed has been opened meanwhile, or has not; or its
 * device was replaced by another.
 */
static void begin_watching_lid(struct coordinator *coordinator)
{
	if (lid_is_gone(coordinator->lid)) {
		end_watching_lid(coordinator);
		coordinator->lid = lid_open(coordinator->roots->dev);
	}
	if (!lid_is_closed(coordinator->lid) || lid_was_opened(coordinator->lid))
		backoff_forget(coordinator->roots->run);
	lid_restart(coordinator->lid);
}

/* The lid's sleep, refused for a while where the last one has failed. */
static int sleep_unless_backing_off(struct coordinator *coordinator,
				    const struct cycle_params *params,
				    struct json_object **ret_report, struct error *error)
{
	const char *run = coordinator->roots->run;
	char reason[ERROR_TEXT_MAX];
	int r = 0;

	if (!battery_is_low(coordinator->roots->sys))
		r = backoff_check(run, loop_now(coordinator->loop), error);
	if (r < 0)
		return r; /* and the lid stays watched */
	r = coordinator_suspend(coordinator, params, ret_report, error);
	if (r == 0 && *ret_report && report_result(*ret_report) == RESULT_FAILED &&
	    lid_is_closed(coordinator->lid) && !lid_was_opened(coordinator->lid)) {
		report_blame(*ret_report, reason, sizeof(reason));
		/* Where that cannot be kept, the next attempt comes sooner. */
		backoff_note_failure(run, loop_now(coordinator->loop), reason);
		return 0;
	}
	if (r == 0)
		backoff_forget(run);
	end_watching_lid(coordinator);
	return r;
}

static int run_cycle(struct coordinator *coordinator, const struct job *job,
		     const struct cycle_params *params, struct json_object **ret_report,
		     struct error *error)
{
	int r;

	if (!params->sleeper)
		return coordinator_suspend(coordinator, params, ret_report, error);
	begin_watching_lid(coordinator);
	if (job->verb == JOB_SLEEP)
		return sleep_unless_backing_off(coordinator, params, ret_report, error);
	r = coordinator_suspend(coordinator, params, ret_report, error);
	end_watching_lid(coordinator);
	return r;
}

/*
 * systemd starts programs and syncs file systems when all guests are down. On
 * a disk that one of them serves, that would hang; we ourselves need no disk.
 */
static int check_systemd_has_its_disks(const struct coordinator *coordinator, struct error *error)
{
	struct host host = { 0 };

	host_read_disks("", coordinator->roots->sys, &host);
	if (!host.guest_disk[0])
		return 0;
	return error_set(
		error, -EOPNOTSUPP,
		"%s is mounted from %s, a disk that a guest serves, and systemd would need it while that guest is down; use 'pmcoord suspend-all', which sleeps without it",
		host.guest_disk_mount, host.guest_disk);
}

static int run_suspend(struct coordinator *coordinator, const struct job *job,
		       struct sleeper *sleeper, struct job_outcome *outcome, struct error *error)
{
	struct cycle_params params = {
		.trigger = job_verb_name(job->verb),
		.sleeper = job_sleeps(job) ? sleeper : NULL,
		.names = job->names,
		.n_names = job->n_names,
		.force = job->force,
		.comes_back = job_is_rehearsal(job),
		.is_measurement = job->verb == JOB_BENCH,
	};
	int r = job->verb == JOB_SLEEP ? check_systemd_has_its_disks(coordinator, error) : 0;

	if (r == 0)
		r = run_cycle(coordinator, job, &params, &outcome->report, error);
	if (r < 0 || !outcome->report)
		return r;
	outcome->code = exit_code_of_report(outcome->report);
	report_blame(outcome->report, outcome->message, sizeof(outcome->message));
	outcome->held = !params.sleeper && !params.comes_back && outcome->code != EXIT_ROLLED_BACK;
	return 0;
}

static int run_resume(struct coordinator *coordinator, const struct job *job,
		      struct job_outcome *outcome, struct error *error)
{
	struct resume_result result;
	int r = coordinator_resume(coordinator, job->names, job->n_names, job->force, &result,
				   error);

	if (r < 0)
		return r;
	outcome->n_resumed = result.n_resumed;
	outcome->report = result.report;
	if (result.stranded[0]) {
		outcome->code = EXIT_STRANDED;
		snprintf(outcome->message, sizeof(outcome->message),
			 "guest '%s' could not be resumed: see 'pmcoord report'", result.stranded);
	} else if (result.degraded) {
		outcome->code = EXIT_DEGRADED;
	}
	return 0;
}

void job_run(struct coordinator *coordinator, const struct job *job, struct sleeper *sleeper,
	     struct job_outcome *ret_outcome)
{
	struct error error = { 0 };
	int r = -EINVAL;

	*ret_outcome = (struct job_outcome){ .code = EXIT_AS_PLANNED };
	switch (job->verb) {
	case JOB_SUSPEND_ALL:
	case JOB_SUSPEND:
	case JOB_SLEEP:
	case JOB_CYCLE:
	case JOB_BENCH:
		r = run_suspend(coordinator, job, sleeper, ret_outcome, &error);
		break;
	case JOB_RESUME_ALL:
	case JOB_RESUME:
		r = run_resume(coordinator, job, ret_outcome, &error);
		break;
	case JOB_RECOVER:
		r = coordinator_recover(coordinator, &error);
		break;
	}
	if (r < 0)
		job_outcome_of_error(&error, ret_outcome);
}
