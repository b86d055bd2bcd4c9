/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "pmcoord/hash.h"
#include "pmcoord/json.h"
#include "xen/hypervisor-xen.h"
#include "host/lid.h"
#include "host/loop-event.h"
#include "record/report.h"
#include "view/report-text.h"
#include "sim/simulator.h"
#include "host/sleep-manager-systemd.h"

enum exit_code cli_fail(const struct error *error)
{
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

static void print_warning(void *data, const char *warning)
{
	const struct options *options = data;

	if (!options->quiet)
		fprintf(stderr, "pmcoord: %s\n", warning);
}

int cli_load_config(struct cli *cli, config_warning_fn warn, void *data, struct error *error)
{
	const char *path = cli->options.config_path;
	int r;

	config_init(&cli->config);
	/* A file that was asked for must be there; the default need not. */
	if (path && access(path, R_OK) < 0)
		return error_refuse(error, OUTCOME_USAGE, "cannot read %s: %s", path,
				    strerror(errno));
	r = config_load(&cli->config, path ? path : CONFIG_DEFAULT_PATH, warn, data, error);
	if (r == 0 && cli->options.timeout_us)
		cli->config.deadline_us = cli->options.timeout_us;
	return r;
}

/*
 * Where a rehearsal keeps its journals and reports: apart from the host's, and
 * apart for each scenario file (by the hash of its path).
 */
static int rehearsal_directory(const char *scenario, char *ret, size_t size, struct error *error)
{
	_cleanup_(freep) char *real = realpath(scenario, NULL);
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char base[128];
	struct stat st;

	if (!real)
		return error_refuse(error, OUTCOME_USAGE, "cannot read the scenario %s: %s",
				    scenario, strerror(errno));
	if (geteuid() == 0)
		snprintf(base, sizeof(base), "/run/pmcoord-rehearsal");
	else if (runtime && runtime[0] == '/' && strlen(runtime) < 100)
		snprintf(base, sizeof(base), "%s/pmcoord-rehearsal", runtime);
	else
		snprintf(base, sizeof(base), "/tmp/pmcoord-rehearsal-%d", (int)geteuid());
	if (directory_make(base) < 0 || lstat(base, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid())
		return error_refuse(error, OUTCOME_USAGE,
				    "cannot use %s for rehearsals: it must be a directory of yours",
				    base);
	snprintf(ret, size, "%s/%016" PRIx64, base, hash_text(HASH_START, real));
	return 0;
}

int cli_choose_roots(struct cli *cli, struct error *error)
{
	char directory[256];
	int r;

	if (!cli->options.scenario) {
		r = roots_init_host(&cli->roots);
	} else {
		r = rehearsal_directory(cli->options.scenario, directory, sizeof(directory), error);
		if (r == 0)
			r = directory_make(directory);
		if (r == 0)
			r = roots_init_simulation(directory, &cli->roots);
	}
	if (r >= 0)
		return 0;
	error_set(error, r, "cannot begin: %s", strerror(-r));
	error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
	return r;
}

enum exit_code cli_load(struct cli *cli)
{
	struct error error = { 0 };
	int r = cli_load_config(cli, print_warning, &cli->options, &error);

	if (r == 0)
		r = cli_choose_roots(cli, &error);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}

static int open_simulator(struct cli *cli, struct error *error)
{
	_cleanup_(freep) char *state = NULL;

	if (asprintf(&state, "%s/simulator", cli->roots.run) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	if (!cli->options.quiet)
		fprintf(stderr,
			"pmcoord: REHEARSAL on the simulated host %s; nothing real is touched\n",
			cli->options.scenario);
	return simulator_open(cli->options.scenario, state, &cli->hypervisor, &cli->loop,
			      &cli->simulated_sleeper, error);
}

static int open_xen(struct cli *cli, struct error *error)
{
	int r = hypervisor_xen_open(cli->roots.run, cli->kept_fd, &cli->hypervisor, error);

	/* As it documents; -ENOENT is a device of Xen that is not there. */
	error_mark(error, -EPERM, OUTCOME_NOT_PERMITTED);
	error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
	error_mark(error, -ENODEV, OUTCOME_UNSUPPORTED);
	error_mark(error, -ENOENT, OUTCOME_UNSUPPORTED);
	error_mark(error, -ECONNREFUSED, OUTCOME_UNSUPPORTED);
	error_mark(error, -EPROTO, OUTCOME_UNSUPPORTED);
	return r;
}

int cli_open_hypervisor(struct cli *cli, struct error *error)
{
	int r;

	if (cli->hypervisor)
		return 0;
	if (cli->options.scenario) {
		r = open_simulator(cli, error);
	} else {
		r = open_xen(cli, error);
		if (r == 0)
			r = loop_new(cli->hypervisor, &cli->loop, error);
		if (r == 0 && sleep_manager_systemd_new(&cli->sleep_manager))
			r = error_set(error, -ENOMEM, "out of memory");
	}
	if (r < 0)
		return r;
	cli->coordinator = (struct coordinator){
		.config = &cli->config,
		.roots = &cli->roots,
		.hypervisor = cli->hypervisor,
		.loop = cli->loop,
		.sleep_manager = cli->sleep_manager,
	};
	return 0;
}

enum exit_code cli_open(struct cli *cli)
{
	struct error error = { 0 };

	return cli_open_hypervisor(cli, &error) < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}

const char *cli_hypervisor(struct cli *cli)
{
	char path[PATH_MAX];

	if (!cli->options.scenario)
		return "xen";
	snprintf(cli->hypervisor_name, sizeof(cli->hypervisor_name), "sim:%s",
		 realpath(cli->options.scenario, path) ? path : cli->options.scenario);
	return cli->hypervisor_name;
}

void cli_done(struct cli *cli)
{
	lid_free(cli->coordinator.lid);
	sleep_manager_free(cli->sleep_manager);
	loop_free(cli->loop);
	hypervisor_close(cli->hypervisor);
	roots_done(&cli->roots);
	config_done(&cli->config);
}

void cli_print_report(const struct cli *cli, struct json_object *report)
{
	if (cli->options.json)
		json_print(report, stdout);
	else if (!cli->options.quiet)
		report_print(report, cli->roots.reports, stdout);
}
