/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_CLI_H
#define PMCOORD_CLI_CLI_H

/* What every command works with: its options, the configuration and the host. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "model/config.h"
#include "model/sleeper.h"
#include "record/config-file.h"
#include "record/report.h"
#include "engine/context.h"
#include "engine/host-env.h"
#include "engine/job.h"

struct options {
	bool json;
	bool quiet;
	bool verbose;
	bool guests_only;
	bool dry_run;
	bool force;
	bool with_sleep;
	uint64_t count; /* of cycles or rounds; 0: not given */
	const char *config_path; /* NULL: the default file */
	const char *scenario; /* FILE of --hypervisor=sim:FILE; NULL: Xen */
	uint64_t timeout_us; /* replaces Deadline=; 0: not given */
	const char *svg_path; /* "-": standard output; NULL: not given */
	const char *dot_path; /* "-": standard output; NULL: not given */
	char **arguments;
	size_t n_arguments;
};

struct cli {
	struct options options;
	struct config config;
	struct host_env *env;
	bool was_interrupted; /* a signal interrupted the last job that was sent to the daemon */
	struct coordinator coordinator; /* set by cli_open */
};

/*
 * cli_load reads the configuration and chooses the host. cli_open then opens
 * the host's hypervisor, unless it is open. On failure, each function prints
 * the error to stderr and returns its exit code; on success it returns
 * EXIT_AS_PLANNED. Release: cli_done, even after a failure.
 */
enum exit_code cli_load(struct cli *cli);
enum exit_code cli_open(struct cli *cli);
void cli_done(struct cli *cli);

/*
 * The parts of cli_load and cli_open, for commands that handle errors
 * themselves. Each function returns 0, or a negative errno with `error` set.
 * cli_load_config calls `warn` for each warning.
 */
int cli_load_config(struct cli *cli, config_warning_fn warn, void *data, struct error *error);
int cli_choose_host(struct cli *cli, struct error *error);
int cli_open_host(struct cli *cli, struct error *error);

/* Prints the error to stderr and returns its exit code. */
enum exit_code cli_fail(const struct error *error);

/* Returns the exit code of a job's result. */
enum exit_code cli_exit_code(enum job_result result);

/*
 * Runs the job, in the daemon if there is one, otherwise in this process, and
 * prints its progress. `sleeper` is passed to job_run. Returns true with the
 * outcome in *ret_outcome (release: job_outcome_done). Prints an error and
 * returns false, with only the result set in *ret_outcome, if the job could not
 * be started or the daemon died.
 */
bool cli_run_job(struct cli *cli, const struct job *job, struct sleeper *sleeper,
		 struct job_outcome *ret_outcome);

/* Prints a report as JSON with --json, otherwise as text; with --quiet no text. */
void cli_print_report(const struct cli *cli, const struct report *report);

/* The commands in the table of commands.c. */
enum exit_code command_suspend_all(struct cli *cli);
enum exit_code command_suspend(struct cli *cli);
enum exit_code command_resume_all(struct cli *cli);
enum exit_code command_resume(struct cli *cli);
enum exit_code command_cycle(struct cli *cli);
enum exit_code command_bench(struct cli *cli);
enum exit_code command_sleep_unit(struct cli *cli);
enum exit_code command_recover(struct cli *cli);
enum exit_code command_list(struct cli *cli);
enum exit_code command_plan(struct cli *cli);
enum exit_code command_report(struct cli *cli);
enum exit_code command_status(struct cli *cli);
enum exit_code command_monitor(struct cli *cli);
enum exit_code command_check(struct cli *cli);
enum exit_code command_daemon(struct cli *cli);
enum exit_code command_notify(struct cli *cli);

#endif
