/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Commands by calling pmcoord's main in this process, which saves the start of a
 * process. A command that is to be killed runs in a child.
 */

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/worlds/backend-sim.h"
#include "tests/worlds/backend.h"
#include "tests/worlds/generate.h"
#include "tests/worlds/pmcoord-main.h"

static struct sim_host host;
static struct capture capture;

/* Calls main as at the start of a process. */
static int call_main(struct command_line *line)
{
	int code;

	optind = 0; /* getopt begins anew */
	code = pmcoord_main(line->argc, line->argv);
	fflush(stdout);
	clearerr(stdout);
	return code;
}

static int call_in_child(struct command_line *line, const struct world_step *step,
			 struct outcome *outcome)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		_exit(call_main(line));
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	outcome_set_status(outcome, step, status);
	return 0;
}

static int run_command(struct sim_host *on, const struct world *world,
		       const struct world_step *step, struct outcome *outcome)
{
	struct command_line line;
	char more[64] = "Trace=yes\n";
	int r = 0;

	if (step->type == STEP_KILL)
		snprintf(more, sizeof(more), "Trace=yes\nKilledAt=%" PRIu64 "\n", step->number);
	if (sim_host_write_scenario(on, world, more) < 0)
		return -1;
	command_line_make(on, step, &line);
	capture_start(&capture);
	if (step->type == STEP_KILL)
		r = call_in_child(&line, step, outcome);
	else
		outcome->code = call_main(&line);
	capture_end(&capture);
	return r < 0 ? r : capture_take(&capture, outcome);
}

static int calls_open(void)
{
	return sim_host_init(&host) < 0 ? -1 : capture_init(&capture);
}

static void calls_close(void)
{
	capture_done(&capture);
	sim_host_done(&host);
}

static int calls_run(const struct world *world, struct history *ret_history)
{
	return sim_world_run(&host, world, run_command, ret_history);
}

const struct backend backend_calls = {
	.name = "calls",
	.kept = "tests/worlds/kept",
	.generate = world_generate,
	.open = calls_open,
	.close = calls_close,
	.run = calls_run,
};
