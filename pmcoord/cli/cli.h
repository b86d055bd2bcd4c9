/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_CLI_H
#define PMCOORD_CLI_CLI_H

/* What every subcommand gets: options, and the host. */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/exit-code.h"
#include "model/config.h"
#include "model/sleeper.h"
#include "record/config-file.h"
#include "engine/context.h"
#include "engine/coordinator.h"
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
	uint64_t count; /* 0: not given */
	const char *config_path; /* NULL: the default */
	const char *scenario; /* --hypervisor=sim:FILE, else NULL */
	uint64_t timeout_us; /* 0: as configured */
	const char *svg_path;
	const char *dot_path;
	char **arguments;
	size_t n_arguments;
};

struct cli {
	struct options options;
	struct config config;
	struct host_env *env;
	bool was_interrupted; /* while the daemon did a job for us */
	struct coordinator coordinator; /* once the host is open */
};

/*
 * Reads the configuration and chooses the host; then cli_open opens it, unless
 * it is open. Both print what is wrong and return an exit code, or
 * EXIT_AS_PLANNED.
 */
enum exit_code cli_load(struct cli *cli);
enum exit_code cli_open(struct cli *cli);
void cli_done(struct cli *cli);

/*
 * The parts of these, for whoever tells what is wrong in a way of its own. Each
 * returns 0, or a negative errno with `error` set.
 */
int cli_load_config(struct cli *cli, config_warning_fn warn, void *data, struct error *error);
int cli_choose_host(struct cli *cli, struct error *error);
int cli_open_host(struct cli *cli, struct error *error);

/* Prints the sentence to stderr and returns the exit code that goes with it. */
enum exit_code cli_fail(const struct error *error);

/* The exit code that goes with the result of a job. */
enum exit_code cli_exit_code(enum job_result result);

/*
 * Does the job under the lock, with its progress shown. Returns true with what
 * came of it in *ret_outcome (release: job_outcome_done), or false when it was
 * not begun: then the sentence is printed already, and only the result is set.
 */
bool cli_run_job(struct cli *cli, const struct job *job, struct sleeper *sleeper,
		 struct job_outcome *ret_outcome);

/* Prints a report as the options want it. */
void cli_print_report(const struct cli *cli, const struct report *report);

/* The subcommands. */
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
