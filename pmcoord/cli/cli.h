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
	uint64_t count; /* number of cycles or rounds; 0: not given */
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
	bool needs_config; /* it is an error if the file of --config cannot be read */
	struct config config;
	struct host_env *env;
	bool was_interrupted; /* a signal interrupted the last job that was sent to the daemon */
	struct coordinator coordinator; /* set by cli_open */
};

/*
 * Reads the configuration and chooses the host. Returns EXIT_AS_PLANNED. On
 * failure, prints the error to stderr and returns its exit code. Release:
 * cli_done, even after a failure.
 */
enum exit_code cli_load(struct cli *cli);
/*
 * Opens the hypervisor of the chosen host, unless it is open, and connects it to xenstored.
 * Returns as cli_load does.
 */
enum exit_code cli_open(struct cli *cli);
void cli_done(struct cli *cli);

/*
 * cli_load and cli_open consist of the three functions below. Commands that
 * handle errors themselves call these functions directly. Each of them returns
 * 0, or a negative errno with `error` set.
 */

/*
 * Reads the configuration, and calls `warn` for each warning. Fails only if the file of
 * --config cannot be read; then the configuration is usable all the same.
 */
int cli_load_config(struct cli *cli, config_warning_fn warn, void *data, struct error *error);
/* Chooses the host that --hypervisor names; without the option, this host. */
int cli_choose_host(struct cli *cli, struct error *error);
/* Opens the hypervisor of the chosen host, unless it is open, as host_env_open does. */
int cli_open_host(struct cli *cli, struct error *error);
/* The same, and connects it to xenstored. */
int cli_connect_host(struct cli *cli, struct error *error);

/* Prints the error to stderr and returns its exit code. */
enum exit_code cli_fail(const struct error *error);

/* Returns the exit code of a job's result. */
enum exit_code cli_exit_code(enum job_result result);

/*
 * Runs the job and prints its progress. If a daemon runs, the job is sent to the
 * daemon. Otherwise this process runs the job and passes `sleeper` (borrowed) to
 * job_run. Returns true with the outcome in *ret_outcome (release:
 * job_outcome_done). If the job could not be started or the daemon died, prints
 * an error, sets only the result in *ret_outcome, and returns false.
 */
bool cli_run_job(struct cli *cli, const struct job *job, struct sleeper *sleeper,
		 struct job_outcome *ret_outcome);

/* Prints a report: with --json as JSON, otherwise as text unless --quiet is given. */
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
