/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* list, plan and report: print, and change nothing. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "pmcoord/parse.h"
#include "model/cycle.h"
#include "model/plan.h"
#include "record/journal.h"
#include "record/report-store.h"
#include "record/report.h"
#include "engine/suspend.h"
#include "view/plan-picture.h"
#include "view/show.h"
#include "view/timeline.h"
#include "cli/cli.h"

static int write_dot(const struct plan *plan, const char *path, struct error *error)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	int r, closed;

	if (!out)
		return error_set(error, -EIO, "cannot write the graph to %s: %s", path,
				 strerror(errno));
	r = plan_write_dot(plan, out);
	closed = out == stdout ? fflush(out) : fclose(out);
	if (r < 0 || closed != 0)
		return error_set(error, -EIO, "cannot write the graph to %s", path);
	return 0;
}

/* Prints the plan, or only its guests. Returns 0 or a negative errno. */
typedef int (*with_plan_fn)(struct cli *cli, const struct plan *plan, struct error *error);

static enum exit_code with_plan(struct cli *cli, with_plan_fn show)
{
	enum exit_code code = cli_open(cli);
	struct plan plan = { 0 };
	struct error error = { 0 };
	struct cycle_params params = {
		/* Names are given by `suspend GUEST... --dry-run`; list and plan have none. */
		.names = cli->options.arguments,
		.n_names = cli->options.n_arguments,
		.force = cli->options.force,
	};
	int r;

	if (code != EXIT_AS_PLANNED)
		return code;
	r = coordinator_plan(&cli->coordinator, &params, &plan, &error);
	if (r == 0)
		r = show(cli, &plan, &error);
	plan_done(&plan);
	if (r < 0)
		error_set(&error, r, "cannot show the guests: %s", strerror(-r));
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}

static int show_guests(struct cli *cli, const struct plan *plan, struct error *error)
{
	(void)error;
	return show_list(plan, &cli->config, cli->options.json, stdout);
}

enum exit_code command_list(struct cli *cli)
{
	return with_plan(cli, show_guests);
}

static int show_steps(struct cli *cli, const struct plan *plan, struct error *error)
{
	const struct options *options = &cli->options;
	int r = 0;

	if (options->dot_path)
		r = write_dot(plan, options->dot_path, error);
	if (r == 0 && options->svg_path)
		r = plan_write_svg(plan, options->svg_path, error);
	if (r < 0 || (!options->json && (options->dot_path || options->svg_path)))
		return r;
	return show_plan(plan, options->json, stdout);
}

enum exit_code command_plan(struct cli *cli)
{
	return with_plan(cli, show_steps);
}

/*
 * Returns the number of the last cycle that still has a journal, or 0 if there
 * is none. While a cycle has a journal, its saved report may be missing or
 * outdated, so the report is made from the journal.
 */
static uint64_t last_open_cycle(const struct cli *cli)
{
	uint64_t *numbers = NULL;
	int n = journal_list(cli->env->roots.journals, &numbers);
	uint64_t last = n > 0 ? numbers[n - 1] : 0;

	free(numbers);
	return last;
}

static int report_of_open_cycle(const struct cli *cli, uint64_t number, struct report **ret_report,
				struct error *error)
{
	struct cycle cycle = { 0 };
	int r = journal_read(cli->env->roots.journals, number, &cycle, error);

	if (r == 0)
		r = report_new(&cycle, ret_report);
	cycle_done(&cycle);
	return r;
}

static int find_report(const struct cli *cli, uint64_t number, struct report **ret_report,
		       struct error *error)
{
	uint64_t open = last_open_cycle(cli);
	bool wanted =
		number == 0 ? open > report_store_last_number(&cli->env->roots) : open == number;

	if (open > 0 && wanted)
		return report_of_open_cycle(cli, open, ret_report, error);
	return report_store_load(&cli->env->roots, number, ret_report, error);
}

enum exit_code command_report(struct cli *cli)
{
	struct report *report = NULL;
	struct error error = { 0 };
	uint64_t number = 0;
	int r = 0;

	if (cli->options.n_arguments == 1 &&
	    (parse_u64(cli->options.arguments[0], UINT64_MAX, &number) < 0 || number == 0))
		r = error_refuse(&error, OUTCOME_USAGE, "'%s' is not the number of a cycle",
				 cli->options.arguments[0]);
	if (r == 0)
		r = find_report(cli, number, &report, &error);
	if (r == 0 && cli->options.svg_path)
		r = timeline_write(report, cli->options.svg_path, &error);
	if (r == 0 && (cli->options.json || !cli->options.svg_path))
		cli_print_report(cli, report);
	report_free(report);
	/* A missing report is the user's error only if the user gave its number. */
	if (number != 0)
		error_mark(&error, -ENOENT, OUTCOME_NOT_FOUND);
	error_mark(&error, -EACCES, OUTCOME_NOT_PERMITTED);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}
