/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* check: reads the facts, runs the checks and prints the findings. Changes nothing. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "base/string-list.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "model/sleeper.h"
#include "host/host.h"
#include "record/answers.h"
#include "record/status.h"
#include "engine/host-env.h"
#include "engine/job.h"
#include "engine/suspend.h"
#include "view/findings.h"
#include "check/check.h"
#include "daemon/client.h"
#include "cli/cli.h"

struct facts {
	struct string_list config_errors, config_warnings;
	bool out_of_memory; /* an error or a warning could not be stored */
	struct host host;
	bool has_host;
	struct error no_sleep, no_hypervisor, no_status; /* see struct check_context */
	struct plan plan;
	struct check_details *details;
	struct status status;
	bool has_status;
};

static void facts_done(struct facts *facts)
{
	string_list_done(&facts->config_errors);
	string_list_done(&facts->config_warnings);
	if (facts->has_host)
		host_done(&facts->host);
	plan_done(&facts->plan);
	free(facts->details);
	if (facts->has_status)
		status_done(&facts->status);
}

/* ---- reading ------------------------------------------------------------- */

static void add_warning(void *data, bool is_problem, const char *warning)
{
	struct facts *facts = data;
	struct string_list *list = is_problem ? &facts->config_errors : &facts->config_warnings;

	facts->out_of_memory |= string_list_add(list, warning, strlen(warning)) < 0;
}

/*
 * Reads the configuration. Values that cannot be taken become findings; the checks use
 * what applies instead.
 */
static void read_config(struct cli *cli, struct facts *facts)
{
	struct error error = { 0 };

	if (cli_load_config(cli, add_warning, facts, &error) == -ENOENT)
		add_warning(facts, true, error_text(&error));
}

static void read_details(const struct cli *cli, const struct guest *guest,
			 struct check_details *details)
{
	struct hypervisor *hypervisor = cli->env->hypervisor;
	const struct hypervisor_ops *ops = hypervisor->ops;
	struct guest_examination *examination = &details->examination;
	struct domain_id id = domain_id_of(guest);

	/* A fact that cannot be read becomes 0. The checks skip such facts. */
	if (ops->examine(hypervisor, guest, examination) < 0)
		*examination = (struct guest_examination){ 0 };
	if (!guest->agent.present || ops->get_agent_state(hypervisor, &id, &details->agent) < 0)
		details->agent = (struct agent_state){ 0 };
	for (size_t i = 0; i < examination->n_pci; i++) {
		struct check_pci_function *function = &details->functions[i];

		memcpy(function->address, examination->pci[i], sizeof(function->address));
		if (host_read_pci_class(cli->env->roots.sys, function->address, &function->class) <
		    0)
			function->class = 0;
	}
}

static int read_guests(struct cli *cli, struct facts *facts, struct error *error)
{
	const struct inventory *inventory = &facts->plan.inventory;
	_cleanup_(answers_done) struct answers answers = { 0 };
	int r = coordinator_plan(&cli->coordinator, NULL, &facts->plan, error);

	if (r < 0)
		return r;
	facts->details = calloc(inventory->n_guests + 1, sizeof(*facts->details));
	if (!facts->details)
		return error_set(error, -ENOMEM, "out of memory");
	answers = answers_load(&cli->env->roots);
	for (size_t i = 0; i < inventory->n_guests; i++) {
		struct check_details *details = &facts->details[i];

		read_details(cli, &inventory->guests[i], details);
		details->never_answers = answers_are_missing(
			&answers, &inventory->guests[i], &details->n_missed, &details->n_cycles);
	}
	return 0;
}

static int read_hypervisor(struct cli *cli, struct facts *facts)
{
	struct error *error = &facts->no_hypervisor;
	int r = cli_connect_host(cli, error);

	if (r == 0)
		r = read_guests(cli, facts, error);
	if (r < 0)
		error_set(error, r, "cannot read the guests: %s", strerror(-r));
	return r;
}

/*
 * Sets `error` if the simulated host cannot sleep. Finds out by preparing a
 * sleep, because a simulated host has no files to read. Returns 0 or -ENOMEM.
 */
static int check_sleep(struct host_env *env, struct error *error)
{
	struct sleeper *sleeper;
	int r;

	if (!env->hypervisor)
		return 0;
	r = host_env_new_sleeper(env, SLEEPER_SYSFS, -EBADF, &sleeper);
	if (r == 0)
		sleeper->ops->prepare(sleeper, error);
	if (r == 0)
		sleeper_free(sleeper);
	return r;
}

static int read_host(struct cli *cli, struct facts *facts)
{
	int r;

	if (!cli->env->has_files)
		return check_sleep(cli->env, &facts->no_sleep);
	r = host_read("", &cli->env->roots, &facts->host);
	facts->has_host = r == 0;
	return r;
}

static int read_facts(struct cli *cli, struct facts *facts)
{
	int r;

	read_config(cli, facts);
	if (facts->out_of_memory)
		return -ENOMEM;
	r = cli_choose_host(cli, &facts->no_hypervisor);
	if (r < 0)
		return r;
	r = read_hypervisor(cli, facts);
	if (r == -ENOMEM)
		return r;
	r = read_host(cli, facts);
	if (r < 0)
		return r;
	facts->has_status = status_read(&cli->env->roots, &facts->status, &facts->no_status) == 0;
	if (facts->has_status && cli->env->hypervisor)
		facts->out_of_memory |= status_observe(&facts->status, cli->env->hypervisor) < 0;
	if (facts->has_status)
		facts->status.has_daemon = client_daemon_is_running(cli->env->name);
	return 0;
}

/* ---- checking ------------------------------------------------------------ */

static const char *text_of(const struct error *error)
{
	return error->number < 0 ? error->text : NULL;
}

static void run_checks(const struct cli *cli, const struct facts *facts, struct findings *findings)
{
	struct check_context context = {
		.config_errors = (const char *const *)facts->config_errors.texts,
		.config_warnings = (const char *const *)facts->config_warnings.texts,
		.config = &cli->config,
		.host = facts->has_host ? &facts->host : NULL,
		.no_sleep = text_of(&facts->no_sleep),
		.no_hypervisor = text_of(&facts->no_hypervisor),
		.status = facts->has_status ? &facts->status : NULL,
		/* NULL if no_hypervisor is set, so that missing privilege is reported once. */
		.no_status = text_of(&facts->no_hypervisor) ? NULL : text_of(&facts->no_status),
	};

	if (!context.no_hypervisor) {
		context.inventory = &facts->plan.inventory;
		context.graph = facts->plan.graph;
		context.details = facts->details;
	}
	check_all(&context, findings);
}

static enum exit_code exit_of_findings(const struct facts *facts, const struct findings *findings)
{
	if (facts->config_errors.n > 0)
		return EXIT_USAGE;
	if (facts->no_hypervisor.number < 0)
		return cli_exit_code(job_result_of_error(&facts->no_hypervisor));
	return findings_are_ok(findings) ? EXIT_AS_PLANNED : EXIT_ROLLED_BACK;
}

enum exit_code command_check(struct cli *cli)
{
	struct facts facts = { 0 };
	struct findings findings = { 0 };
	struct error error = { 0 };
	enum exit_code code;
	int r = read_facts(cli, &facts);

	if (r == 0) {
		run_checks(cli, &facts, &findings);
		r = findings_print(&findings, cli->options.json, !cli->options.quiet, stdout);
	}
	code = exit_of_findings(&facts, &findings);
	if (r < 0) {
		error_set(&error, r, "cannot complete the check: %s",
			  facts.no_hypervisor.text[0] ? facts.no_hypervisor.text : strerror(-r));
		error_mark(&error, r, facts.no_hypervisor.outcome);
		code = cli_fail(&error);
	}
	findings_done(&findings);
	facts_done(&facts);
	return code;
}
