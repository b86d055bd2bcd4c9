/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* suspend-all, suspend, resume-all, resume, and the service behind the lid. */

#include "pmcoord/cli.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/lock.h"
#include "pmcoord/logind.h"
#include "pmcoord/progress.h"
#include "pmcoord/report.h"

/* A cycle in its last phase ends soon: the lid may close again meanwhile. */
#define UNIT_PATIENCE_US 60000000ull

/*
 * Undoing: resuming takes milliseconds a guest, but one that has taken a
 * request may go down up to 25 s later and is waited for.
 */
#define UNIT_UNDO_US 60000000ull

/* How long logind and systemd may take beside us. */
#define LOGIND_EXTRA_US 60000000ull

/*
 * From here on no page of ours is read from a disk, whose backend may be
 * asleep. One heap: arenas per thread would be locked too.
 */
static int stay_in_memory(struct error *error)
{
	mallopt(M_ARENA_MAX, 1);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		return error_set(error, -errno, "cannot lock memory: %s",
				 strerror(errno));
	return 0;
}

/* Opens the hypervisor and takes the lock; `*ret_lock` is the caller's. */
static enum exit_code begin(struct cli *cli, const char *purpose,
			    uint64_t patience_us, int *ret_lock)
{
	enum exit_code code = cli_open(cli);
	struct error error = { 0 };
	int r;

	if (code != EXIT_AS_PLANNED)
		return code;
	r = lock_take(cli->roots.run, purpose, patience_us, &error);
	if (r < 0)
		return cli_fail(&error);
	*ret_lock = r;
	r = cli->options.scenario ? 0 : stay_in_memory(&error);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}

static void watch_progress(struct cli *cli, struct progress *progress,
			   bool notify)
{
	progress_init(progress, cli->options.quiet || cli->options.json,
		      cli->options.verbose, notify);
	cli->coordinator.observer = progress_observe;
	cli->coordinator.observer_data = progress;
}

static enum exit_code show_end(struct cli *cli, struct json_object *report,
			       bool held)
{
	enum exit_code code;

	if (!report) {
		if (!cli->options.quiet && !cli->options.json)
			printf("No guest is running that could be "
			       "suspended; nothing to do.\n");
		if (cli->options.json)
			printf("{ \"cycle\": null, \"result\": \"ok\" }\n");
		return EXIT_AS_PLANNED;
	}
	code = cli_exit_of_report(report);
	cli_print_report(cli, report);
	if (held && code != EXIT_FAILED_UNDONE && !cli->options.quiet &&
	    !cli->options.json)
		printf("Guests stay down until 'pmcoord resume-all'.\n");
	json_object_put(report);
	return code;
}

static enum exit_code run_cycle(struct cli *cli, const struct cycle_wish *wish)
{
	_cleanup_(closep) int lock = -EBADF;
	struct json_object *report = NULL;
	struct progress progress;
	struct error error = { 0 };
	enum exit_code code = begin(cli, wish->trigger, 0, &lock);
	int r;

	if (code != EXIT_AS_PLANNED)
		return code;
	watch_progress(cli, &progress, false);
	r = coordinator_suspend(&cli->coordinator, wish, &report, &error);
	if (r < 0)
		return cli_fail(&error);
	return show_end(cli, report, wish->sleeper == NULL);
}

/* By logind: the sleep unit runs the cycle; we wait for its report. */
static enum exit_code suspend_through_logind(struct cli *cli)
{
	uint64_t last = report_last_number(cli->roots.reports);
	struct json_object *report = NULL;
	struct error error = { 0 };
	int r = logind_suspend(cli->roots.reports, last,
			       cli->config.deadline_us +
				       cli->config.ready_timeout_us +
				       LOGIND_EXTRA_US,
			       &error);

	if (r == 0)
		r = report_load(cli->roots.reports, 0, &report, &error);
	return r < 0 ? cli_fail(&error) : show_end(cli, report, false);
}

static enum exit_code suspend_by_ourselves(struct cli *cli)
{
	struct cycle_wish wish = { .trigger = "suspend-all" };
	struct sleeper *own = NULL;
	enum exit_code code;

	if (cli->options.scenario) {
		/* Opened with the hypervisor, by run_cycle(). */
		code = cli_open(cli);
		if (code != EXIT_AS_PLANNED)
			return code;
	} else if (sleeper_sysfs_new(cli->roots.sys, &own) < 0) {
		return EXIT_FAILED_UNDONE;
	}
	wish.sleeper = own ? own : cli->simulated_sleeper;
	code = run_cycle(cli, &wish);
	sleeper_free(own);
	return code;
}

enum exit_code command_suspend_all(struct cli *cli)
{
	if (cli->options.dry_run)
		return command_plan(cli);
	if (cli->options.guests_only)
		return run_cycle(
			cli, &(struct cycle_wish){ .trigger = "suspend-all" });
	if (!cli->options.scenario) {
		/* Whoever may not do this is told before logind is asked. */
		enum exit_code code = cli_open(cli);

		if (code != EXIT_AS_PLANNED)
			return code;
		if (logind_runs_our_unit())
			return suspend_through_logind(cli);
	}
	return suspend_by_ourselves(cli);
}

enum exit_code command_suspend(struct cli *cli)
{
	struct cycle_wish wish = {
		.trigger = "suspend",
		.names = cli->options.arguments,
		.n_names = cli->options.n_arguments,
		.force = cli->options.force,
	};

	return cli->options.dry_run ? command_plan(cli) : run_cycle(cli, &wish);
}

/* ---- back --------------------------------------------------------------- */

static enum exit_code show_resumed(const struct cli *cli,
				   struct resume_result *result)
{
	enum exit_code code = EXIT_AS_PLANNED;

	if (result->stranded[0]) {
		fprintf(stderr,
			"pmcoord: guest '%s' could not be resumed: see "
			"'pmcoord "
			"report'\n",
			result->stranded);
		code = EXIT_STRANDED;
	} else if (result->degraded) {
		code = EXIT_DEGRADED;
	}
	if (cli->options.json && result->report)
		cli_print_report(cli, result->report);
	else if (cli->options.json)
		printf("{ \"resumed\": %zu }\n", result->n_resumed);
	else if (!cli->options.quiet && result->n_resumed == 0)
		printf("Nothing is held down; nothing to do.\n");
	else if (!cli->options.quiet)
		printf("%zu guest%s back.\n", result->n_resumed,
		       result->n_resumed == 1 ? "" : "s");
	json_object_put(result->report);
	return code;
}

static enum exit_code run_resume(struct cli *cli, const char *purpose,
				 char **names, size_t n_names)
{
	_cleanup_(closep) int lock = -EBADF;
	enum exit_code code = begin(cli, purpose, 0, &lock);
	struct resume_result result;
	struct progress progress;
	struct error error = { 0 };
	int r;

	if (code != EXIT_AS_PLANNED)
		return code;
	watch_progress(cli, &progress, false);
	r = coordinator_resume(&cli->coordinator, names, n_names,
			       cli->options.force, &result, &error);
	return r < 0 ? cli_fail(&error) : show_resumed(cli, &result);
}

enum exit_code command_resume_all(struct cli *cli)
{
	return run_resume(cli, "resume-all", NULL, 0);
}

enum exit_code command_resume(struct cli *cli)
{
	return run_resume(cli, "resume", cli->options.arguments,
			  cli->options.n_arguments);
}

/* ---- pmcoord-sleep.service ---------------------------------------------- */

/*
 * Runs inside sleep.target: suspends the guests, says READY, waits to be
 * stopped after the wake, and resumes them. Fails, and so keeps the machine
 * awake, when the guests could not be suspended as configured.
 */
enum exit_code command_sleep_unit(struct cli *cli)
{
	_cleanup_(closep) int lock = -EBADF;
	struct cycle_wish wish = { .trigger = "sleep" };
	struct json_object *report = NULL;
	struct progress progress;
	struct error error = { 0 };
	enum exit_code code = begin(cli, "sleep", UNIT_PATIENCE_US, &lock);
	int r;

	if (code != EXIT_AS_PLANNED)
		return code;
	if (sleeper_systemd_new(cli->roots.sys, &wish.sleeper) < 0)
		return EXIT_FAILED_UNDONE;
	/* The unit's own time limits are short, for when we hang before this.
	 */
	sd_notifyf(
		0, "EXTEND_TIMEOUT_USEC=%llu",
		(unsigned long long)(cli->config.deadline_us + UNIT_UNDO_US));
	watch_progress(cli, &progress, true);
	progress.print = false;
	r = coordinator_suspend(&cli->coordinator, &wish, &report, &error);
	sleeper_free(wish.sleeper);
	if (r < 0)
		return cli_fail(&error);
	progress_log_cycle(report);
	sd_notifyf(0, "STATUS=Last cycle: %s.",
		   cycle_result_name(report_result(report)));
	code = cli_exit_of_report(report);
	json_object_put(report);
	return code;
}

/* When the service has ended, however: only finds work where it was killed. */
enum exit_code command_recover(struct cli *cli)
{
	_cleanup_(closep) int lock = -EBADF;
	struct error error = { 0 };
	enum exit_code code = begin(cli, "recover", UNIT_PATIENCE_US, &lock);
	int r;

	if (code != EXIT_AS_PLANNED)
		return code;
	r = coordinator_recover(&cli->coordinator, &error);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}
