/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The commands suspend-all, suspend, resume-all and resume, and the commands
 * sleep-unit and recover, which pmcoord-sleep.service runs.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "pmcoord/json.h"
#include "model/cycle.h"
#include "model/loop.h"
#include "model/sleeper.h"
#include "host/host.h"
#include "host/lock.h"
#include "host/logind.h"
#include "host/loop-event.h"
#include "host/memory.h"
#include "host/roots.h"
#include "record/report-store.h"
#include "record/report.h"
#include "engine/backoff.h"
#include "engine/host-env.h"
#include "engine/job.h"
#include "view/progress.h"
#include "daemon/client.h"
#include "daemon/lease.h"
#include "cli/cli.h"

/*
 * How long the sleep unit waits for another cycle to end. If the lid is closed
 * again soon after a wake, the previous cycle may still wait for guests to
 * restore their devices.
 */
#define UNIT_LOCK_TIMEOUT_US 60000000ull

/*
 * How long the undo of a cycle may take. Guests are resumed in milliseconds.
 * But a guest that has acknowledged its request may still suspend up to 25 s
 * later, and the undo waits for this guest.
 */
#define UNIT_UNDO_US 60000000ull

/*
 * How long a recovery may take, in µs. It waits for the wake, then for up to
 * ReadyTimeout=, which is at most 3600 s.
 */
#define UNIT_RECOVERY_US "3700000000"

/* How long logind and systemd may take in addition to the cycle. */
#define LOGIND_EXTRA_US 60000000ull

/* ---- running a job ------------------------------------------------------ */

/* Whether the job only resumes guests, for which no xenstored is needed. */
static bool only_resumes(enum job_verb verb)
{
	return verb == JOB_RECOVER || job_kind(verb)->resumes;
}

/*
 * Opens the hypervisor, takes the lock for a cycle, and locks this process into
 * memory. The caller owns *ret_lock, even after a failure. Returns 0, or a
 * negative errno with `error` set.
 */
static int open_and_lock(struct cli *cli, enum job_verb verb, uint64_t timeout_us, int *ret_lock,
			 struct error *error)
{
	int r = only_resumes(verb) ? cli_open_host(cli, error) : cli_connect_host(cli, error);

	if (r < 0)
		return r;
	r = lock_take(cli->env->roots.run, job_kind(verb)->name, timeout_us, error);
	error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
	if (r < 0)
		return r;
	*ret_lock = r;
	return cli->env->locks_memory ? memory_lock(error) : 0;
}

static void watch_progress(struct cli *cli, struct progress *progress, bool quiet)
{
	progress_init(progress, quiet || cli->options.quiet || cli->options.json,
		      cli->options.verbose);
	cli->coordinator.observer = progress_observe;
	cli->coordinator.observer_data = progress;
}

static void show_suspended(const struct cli *cli, const struct job_outcome *outcome)
{
	if (outcome->report)
		cli_print_report(cli, outcome->report);
	else if (cli->options.json)
		printf("{ \"cycle\": null, \"result\": \"ok\" }\n");
	else if (!cli->options.quiet && cli->options.n_arguments > 0)
		printf("None of these guests can be suspended; nothing to do. 'pmcoord plan' shows why.\n");
	else if (!cli->options.quiet)
		printf("No running guest can be suspended; nothing to do.\n");
}

static void print_resumed_as_json(const struct job_outcome *outcome)
{
	struct json_object *object = json_object_new_object();
	int r = object ? 0 : -ENOMEM;

	json_add_integer(object, "resumed", (int64_t)outcome->n_resumed, &r);
	if (outcome->message[0])
		json_add_string(object, "message", outcome->message, &r);
	if (r == 0)
		r = json_print_line(object, stdout);
	if (r < 0)
		fprintf(stderr, "pmcoord: cannot print the result: %s\n", strerror(-r));
	json_object_put(object);
}

static void show_resumed(const struct cli *cli, const struct job_outcome *outcome)
{
	if (cli->options.json && outcome->report)
		cli_print_report(cli, outcome->report);
	else if (cli->options.json)
		print_resumed_as_json(outcome);
	else if (!cli->options.quiet && outcome->n_resumed == 0 && outcome->report)
		printf("No guest is left that could be resumed.\n");
	else if (!cli->options.quiet && outcome->n_resumed == 0)
		printf("pmcoord keeps no guest suspended.\n");
	else if (!cli->options.quiet)
		printf("%zu guest%s resumed.\n", outcome->n_resumed,
		       outcome->n_resumed == 1 ? "" : "s");
}

/* Prints the outcome, releases it and returns its exit code. */
static enum exit_code show_outcome(const struct cli *cli, const struct job *job,
				   struct job_outcome *outcome)
{
	enum exit_code code = cli_exit_code(outcome->result);

	/*
	 * A message without a report means that the job failed: print only the message, but
	 * for a program that reads the output.
	 */
	if (!outcome->message[0] || outcome->report ||
	    (cli->options.json && job_kind(job->verb)->resumes)) {
		if (job_kind(job->verb)->resumes)
			show_resumed(cli, outcome);
		else
			show_suspended(cli, outcome);
	}
	fflush(stdout);
	if (outcome->message[0])
		fprintf(stderr, "pmcoord: %s\n", outcome->message);
	job_outcome_done(outcome);
	return code;
}

/* Prints the error and sets the job's result. Always returns false. */
static bool fail_to_start(const struct error *error, struct job_outcome *ret_outcome)
{
	cli_fail(error);
	*ret_outcome = (struct job_outcome){
		.result = job_result_of_error(error),
	};
	return false;
}

static bool run_here(struct cli *cli, const struct job *job, struct sleeper *sleeper,
		     struct job_outcome *ret_outcome)
{
	_cleanup_(closep) int lock = -EBADF;
	bool quiet = job_kind(job->verb)->in_series && !cli->options.verbose;
	struct progress progress;
	struct error error = { 0 };

	if (open_and_lock(cli, job->verb, 0, &lock, &error) < 0)
		return fail_to_start(&error, ret_outcome);
	watch_progress(cli, &progress, quiet);
	job_run(&cli->coordinator, job, sleeper, ret_outcome);
	cli->coordinator.observer = NULL;
	return true;
}

static bool run_by_daemon(struct cli *cli, struct client *client, const struct job *job,
			  struct job_outcome *ret_outcome)
{
	bool quiet = job_kind(job->verb)->in_series && !cli->options.verbose;
	struct progress progress;
	struct client_options options = {
		.config_path = cli->options.config_path,
		.timeout_us = cli->options.timeout_us,
		.journals = cli->env->roots.journals,
	};
	struct error error = { 0 };

	progress_init(&progress, quiet || cli->options.quiet || cli->options.json,
		      cli->options.verbose);
	if (progress.print) {
		options.observer = progress_observe;
		options.observer_data = &progress;
	}
	if (client_do(client, job, &options, ret_outcome, &error) == 0) {
		cli->was_interrupted = client_was_interrupted(client);
		return true;
	}
	return fail_to_start(&error, ret_outcome);
}

bool cli_run_job(struct cli *cli, const struct job *job, struct sleeper *sleeper,
		 struct job_outcome *ret_outcome)
{
	struct client *client = NULL;
	struct error error = { 0 };
	bool done = false;
	int r;

	assert(cli->env);
	assert(job);
	assert(ret_outcome);
	r = client_open(cli->env->name, &client, &error);
	if (r == 0)
		done = run_by_daemon(cli, client, job, ret_outcome);
	else if (r == -ENOTCONN)
		done = run_here(cli, job, sleeper, ret_outcome);
	else
		fail_to_start(&error, ret_outcome);
	client_close(client);
	return done;
}

static enum exit_code run_and_show(struct cli *cli, const struct job *job, struct sleeper *sleeper)
{
	struct job_outcome outcome;

	if (!cli_run_job(cli, job, sleeper, &outcome))
		return cli_exit_code(outcome.result);
	return show_outcome(cli, job, &outcome);
}

/* ---- the commands ------------------------------------------------------- */

struct awaited_report {
	const struct roots *roots;
	uint64_t last; /* number of the last report before the sleep was requested */
};

static bool has_new_report(void *data)
{
	const struct awaited_report *awaited = data;

	return report_store_last_number(awaited->roots) > awaited->last;
}

/*
 * Requests the sleep from logind, which makes pmcoord-sleep.service run the
 * cycle. Waits for the report of this cycle.
 */
static enum exit_code suspend_through_logind(struct cli *cli, const struct job *job)
{
	struct awaited_report awaited = {
		.roots = &cli->env->roots,
		.last = report_store_last_number(&cli->env->roots),
	};
	struct logind_end end = {
		.directories = { cli->env->roots.reports, cli->env->roots.unsaved_reports },
		.is_over = has_new_report,
		.data = &awaited,
	};
	struct job_outcome outcome = { 0 };
	struct error error = { 0 };
	int r;

	/* The back-off after a failed sleep does not apply to a manual request. */
	backoff_forget(cli->env->roots.run);
	r = logind_suspend(&end,
			   cli->config.deadline_us + cli->config.ready_timeout_us + LOGIND_EXTRA_US,
			   &error);

	if (r == 0)
		r = report_store_load(&cli->env->roots, 0, &outcome.report, &error);
	if (r < 0)
		return cli_fail(&error);
	outcome.result = job_result_of_report(outcome.report);
	report_explain(outcome.report, outcome.message, sizeof(outcome.message));
	return show_outcome(cli, job, &outcome);
}

/*
 * Whether logind can put the host to sleep with pmcoord's unit. False if dom0
 * has mounted a disk that a guest serves, because systemd would hang on this
 * disk (see job.c).
 */
static bool can_sleep_by_logind(const struct cli *cli)
{
	struct host host = { 0 };

	host_read_disks("", cli->env->roots.sys, &host);
	return !host.guest_disk[0] && logind_runs_our_unit();
}

static enum exit_code suspend_without_logind(struct cli *cli, const struct job *job)
{
	struct sleeper *sleeper;
	enum exit_code code;

	if (host_env_new_sleeper(cli->env, job_kind(job->verb)->sleeper, -EBADF, &sleeper) < 0)
		return EXIT_ROLLED_BACK;
	code = run_and_show(cli, job, sleeper);
	sleeper_free(sleeper);
	return code;
}

enum exit_code command_suspend_all(struct cli *cli)
{
	struct job job = {
		.verb = JOB_SUSPEND_ALL,
		.guests_only = cli->options.guests_only,
	};
	enum exit_code code;

	if (cli->options.dry_run)
		return command_plan(cli);
	if (job.guests_only)
		return run_and_show(cli, &job, NULL);
	/*
	 * Open the host first, so that a user without privilege gets an error
	 * before logind gets a request.
	 */
	code = cli_open(cli);
	if (code != EXIT_AS_PLANNED)
		return code;
	if (cli->env->has_systemd && can_sleep_by_logind(cli))
		return suspend_through_logind(cli, &job);
	return suspend_without_logind(cli, &job);
}

static struct job job_for_named(const struct cli *cli, enum job_verb verb)
{
	return (struct job){
		.verb = verb,
		.names = cli->options.arguments,
		.n_names = cli->options.n_arguments,
		.force = cli->options.force,
	};
}

enum exit_code command_suspend(struct cli *cli)
{
	struct job job = job_for_named(cli, JOB_SUSPEND);

	return cli->options.dry_run ? command_plan(cli) : run_and_show(cli, &job, NULL);
}

enum exit_code command_resume_all(struct cli *cli)
{
	return run_and_show(cli, &(struct job){ .verb = JOB_RESUME_ALL }, NULL);
}

enum exit_code command_resume(struct cli *cli)
{
	struct job job = job_for_named(cli, JOB_RESUME);

	return run_and_show(cli, &job, NULL);
}

/* ---- pmcoord-sleep.service ---------------------------------------------- */

/*
 * Extends the time limit of the unit's start to the longest time that a job of
 * the daemon and its cycle may take. TimeoutStartSec= is shorter.
 */
static void extend_timeout(const struct cli *cli)
{
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu",
		   (unsigned long long)(UNIT_LOCK_TIMEOUT_US + cli->config.deadline_us +
					UNIT_UNDO_US));
}

static enum exit_code sleep_here(struct cli *cli)
{
	_cleanup_(closep) int lock = -EBADF;
	struct job job = { .verb = JOB_SLEEP };
	struct sleeper *sleeper = NULL;
	struct job_outcome outcome;
	struct progress progress;
	struct error error = { 0 };

	if (open_and_lock(cli, job.verb, UNIT_LOCK_TIMEOUT_US, &lock, &error) < 0)
		return cli_fail(&error);
	if (host_env_new_sleeper(cli->env, job_kind(job.verb)->sleeper, -EBADF, &sleeper) < 0)
		return EXIT_ROLLED_BACK;
	extend_timeout(cli);
	watch_progress(cli, &progress, true);
	if (!cli->env->has_virtual_clock)
		progress_notify(&progress, loop_event(cli->env->loop));
	job_run(&cli->coordinator, &job, sleeper, &outcome);
	progress_done(&progress);
	sleeper_free(sleeper);
	if (outcome.report) {
		progress_log_cycle(outcome.report);
		sd_notifyf(0, "STATUS=Last cycle: %s%s%s",
			   cycle_result_name(outcome.report->result),
			   outcome.message[0] ? ": " : "", outcome.message);
	}
	return show_outcome(cli, &job, &outcome);
}

/*
 * Called when the daemon has died. Before READY=1, returns a failure: the unit
 * fails, the host stays awake, and `pmcoord recover` resumes the guests. After
 * READY=1, waits for the signal that systemd sends only to this process after the
 * wake, and then resumes the guests.
 */
static enum exit_code handle_daemon_death(struct cli *cli, struct loop *loop, bool was_ready)
{
	fprintf(stderr,
		"pmcoord: the pmcoord daemon died during the sleep: 'pmcoord recover' or the restarted daemon resumes the guests\n");
	if (!was_ready)
		return EXIT_ROLLED_BACK;
	while (!loop_take_signal(loop))
		if (loop->ops->wait(loop, LOOP_FOREVER) < 0)
			break;
	return command_recover(cli);
}

static enum exit_code sleep_by_daemon(struct cli *cli, struct client *client, struct loop *loop)
{
	struct client_options options = { 0 };
	_cleanup_(closep) int lease = -EBADF;
	struct job_outcome outcome;
	struct error error = { 0 };
	bool was_ready = false;
	int r = memory_lock(&error);

	if (r == 0)
		r = client_sleep(client, &options, &lease, &error);
	if (r < 0)
		return cli_fail(&error);
	extend_timeout(cli);
	r = lease_hold(lease, loop, &outcome, &was_ready);
	if (r == -ECONNRESET)
		return handle_daemon_death(cli, loop, was_ready);
	if (r < 0) {
		error_set(&error, r, "cannot wait for the daemon: %s", strerror(-r));
		return cli_fail(&error);
	}
	if (outcome.message[0])
		fprintf(stderr, "pmcoord: %s\n", outcome.message);
	return cli_exit_code(outcome.result);
}

/*
 * Runs as part of sleep.target. Suspends the guests, sends READY=1, waits until
 * systemd stops this process after the wake, and resumes the guests. If a daemon
 * runs, the daemon suspends and resumes the guests. Fails if the guests could
 * not be suspended as configured. The host then stays awake.
 */
enum exit_code command_sleep_unit(struct cli *cli)
{
	struct client *client = NULL;
	struct loop *loop = NULL;
	struct error error = { 0 };
	enum exit_code code;
	int r = client_open(cli->env->name, &client, &error);

	if (r == -ENOTCONN)
		return sleep_here(cli);
	if (r == 0)
		r = loop_new(NULL, &loop, &error);
	code = r < 0 ? cli_fail(&error) : sleep_by_daemon(cli, client, loop);
	loop_free(loop);
	client_close(client);
	return code;
}

/*
 * Runs as ExecStopPost= of the sleep unit, and is called by
 * handle_daemon_death. Finds a cycle to recover only if the process that ran
 * the cycle was killed. If the host is about to sleep, waits for the wake. The
 * wait may exceed the unit's time limit, so the limit is extended first.
 */
enum exit_code command_recover(struct cli *cli)
{
	_cleanup_(closep) int lock = -EBADF;
	struct job job = { .verb = JOB_RECOVER };
	struct job_outcome outcome;
	struct error error = { 0 };

	sd_notify(0, "EXTEND_TIMEOUT_USEC=" UNIT_RECOVERY_US);
	if (open_and_lock(cli, job.verb, UNIT_LOCK_TIMEOUT_US, &lock, &error) < 0)
		return cli_fail(&error);
	job_run(&cli->coordinator, &job, NULL, &outcome);
	if (outcome.message[0])
		fprintf(stderr, "pmcoord: %s\n", outcome.message);
	job_outcome_done(&outcome);
	return cli_exit_code(outcome.result);
}
