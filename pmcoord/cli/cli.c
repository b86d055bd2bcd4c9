/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/error.h"
#include "host/lid.h"
#include "record/report-json.h"
#include "record/report.h"
#include "engine/context.h"
#include "view/report-text.h"
#include "cli/host-env-sim.h"
#include "cli/host-env-xen.h"

enum exit_code cli_fail(const struct error *error)
{
	assert(error);
	fprintf(stderr, "pmcoord: %s\n", error_text(error));
	return cli_exit_code(job_result_of_error(error));
}

enum exit_code cli_exit_code(enum job_result result)
{
	switch (result) {
	case JOB_RESULT_DONE:
		return EXIT_AS_PLANNED;
	case JOB_RESULT_ROLLED_BACK:
		break;
	case JOB_RESULT_INVALID:
		return EXIT_USAGE;
	case JOB_RESULT_DEGRADED:
		return EXIT_DEGRADED;
	case JOB_RESULT_UNSUPPORTED:
		return EXIT_UNSUPPORTED;
	case JOB_RESULT_BUSY:
		return EXIT_BUSY;
	case JOB_RESULT_STRANDED:
		return EXIT_STRANDED;
	}
	return EXIT_ROLLED_BACK;
}

/* With --quiet, only what has an effect is printed. */
static void print_warning(void *data, bool is_problem, const char *warning)
{
	const struct options *options = data;

	if (is_problem || !options->quiet)
		fprintf(stderr, "pmcoord: %s\n", warning);
}

int cli_load_config(struct cli *cli, config_warning_fn warn, void *data, struct error *error)
{
	const char *path = cli->options.config_path;
	int r;

	assert(warn);
	config_init(&cli->config);
	r = config_load(&cli->config, path ? path : CONFIG_DEFAULT_PATH, warn, data, error);
	if (cli->options.timeout_us)
		cli->config.deadline_us = cli->options.timeout_us;
	if (r == -ENOENT && path)
		error_set(error, r, "cannot read %s: %s", path, strerror(-r));
	/* Only a file that the user has named must be there. */
	return path || r == -ENOMEM ? r : 0;
}

int cli_choose_host(struct cli *cli, struct error *error)
{
	const struct options *options = &cli->options;

	assert(!cli->env);
	return options->scenario
		       ? host_env_sim_new(options->scenario, options->quiet, &cli->env, error)
		       : host_env_xen_new(&cli->env, error);
}

/*
 * Reads the configuration. A command that suspends needs the file that the user has named;
 * what resumes or reports does without.
 */
static int load_config(struct cli *cli, struct error *error)
{
	struct error unreadable = { 0 };
	int r = cli_load_config(cli, print_warning, &cli->options, &unreadable);

	if (r == 0)
		return 0;
	if (cli->needs_config) {
		error_set(error, r, "%s", error_text(&unreadable));
		error_mark(error, r, OUTCOME_USAGE);
		return r;
	}
	/* config_load has printed the others. */
	if (r == -ENOENT || r == -ENOMEM)
		print_warning(&cli->options, true, error_text(&unreadable));
	return 0;
}

enum exit_code cli_load(struct cli *cli)
{
	struct error error = { 0 };
	int r = load_config(cli, &error);

	if (r == 0)
		r = cli_choose_host(cli, &error);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}

int cli_open_host(struct cli *cli, struct error *error)
{
	int r;

	assert(cli->env);
	r = host_env_open(cli->env, error);
	if (r < 0)
		return r;
	cli->coordinator = (struct coordinator){
		.config = &cli->config,
		.roots = &cli->env->roots,
		.hypervisor = cli->env->hypervisor,
		.loop = cli->env->loop,
		.sleep_manager = cli->env->sleep_manager,
	};
	return 0;
}

int cli_connect_host(struct cli *cli, struct error *error)
{
	int r = cli_open_host(cli, error);

	return r < 0 ? r : host_env_connect(cli->env, error);
}

enum exit_code cli_open(struct cli *cli)
{
	struct error error = { 0 };

	return cli_connect_host(cli, &error) < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}

void cli_done(struct cli *cli)
{
	lid_free(cli->coordinator.lid);
	host_env_free(cli->env);
	config_done(&cli->config);
}

void cli_print_report(const struct cli *cli, const struct report *report)
{
	if (cli->options.json)
		report_print_json(report, stdout);
	else if (!cli->options.quiet)
		report_print(report, cli->env->roots.reports, stdout);
}
