/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/backend-double.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakexen/faults.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/virtual-time.h"
#include "tests/worlds/backend-sim.h"
#include "tests/worlds/backend.h"
#include "tests/worlds/damage.h"
#include "tests/worlds/double-host.h"
#include "tests/worlds/generate-double.h"
#include "tests/worlds/pmcoord-main.h"
#include "tests/worlds/sim-host.h"

static struct sim_host host;
static struct capture capture;

const char *backend_double_files(void)
{
	return host.files;
}

/* ---- commands ----------------------------------------------------------- */

/* The command that runs as a process of the double. */
static struct {
	struct command_line line;
	int code;
	bool waits_for_ever;
} process;

static void run_main(void *data)
{
	(void)data;
	optind = 0; /* getopt begins anew */
	process.code = pmcoord_main(process.line.argc, process.line.argv);
}

/* Nothing is left that could end the wait. */
static void on_idle(void *data)
{
	(void)data;
	process.waits_for_ever = true;
	process_kill();
}

/* A process that is killed has not restored the signal mask. */
static bool run_process(void)
{
	sigset_t mask;
	bool has_ended;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	has_ended = process_run(run_main, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	fflush(stdout);
	clearerr(stdout);
	return has_ended;
}

static int run_command(const struct world_step *step, struct outcome *outcome)
{
	bool has_ended;

	process.code = 0;
	process.waits_for_ever = false;
	command_line_make(&host, step, &process.line);
	virtual_time_on_idle(on_idle, NULL);
	faults_on_call(step->type == STEP_KILL ? (unsigned int)step->number : 0, process_kill);
	capture_start(&capture);
	double_host_set_command(true);
	has_ended = run_process();
	double_host_set_command(false);
	capture_end(&capture);
	faults_on_call(0, NULL);
	outcome->was_killed = !has_ended && !process.waits_for_ever;
	outcome->code =
		has_ended ? process.code : 128 + (process.waits_for_ever ? SIGALRM : SIGKILL);
	return capture_take(&capture, outcome);
}

/* ---- worlds ------------------------------------------------------------- */

static int run_step(const struct world_step *step, struct outcome *outcome)
{
	switch (step->type) {
	case STEP_RUN:
	case STEP_KILL:
		return run_command(step, outcome);
	case STEP_PASS:
		virtual_time_pass(step->number);
		return 0;
	case STEP_DAMAGE:
		return damage_make(host.files, step->text);
	case STEP_N_TYPES:
		break;
	}
	return -1;
}

static int run_steps(const struct world *world, struct history *history)
{
	for (size_t i = 0; i < world->n_steps; i++) {
		struct outcome *outcome = &history->outcomes[history->n_outcomes++];

		outcome->start_us = virtual_time_now();
		outcome->first = history->n_happenings;
		if (run_step(&world->steps[i], outcome) < 0)
			return -1;
		double_host_check_saves();
		outcome->end = history->n_happenings;
		outcome->end_us = virtual_time_now();
		sim_host_observe_report(&host, outcome);
	}
	return double_host_has_failed() ? -1 : 0;
}

static int double_run(const struct world *world, struct history *ret_history)
{
	int r = sim_host_begin(&host, world);

	*ret_history = (struct history){ .world = world };
	if (r < 0)
		return r;
	double_host_start(world, ret_history);
	r = run_steps(world, ret_history);
	double_host_stop();
	if (r < 0)
		history_done(ret_history);
	return r;
}

static int double_open(void)
{
	if (sim_host_init(&host) < 0)
		return -1;
	snprintf(host.hypervisor, sizeof(host.hypervisor), "xen");
	return capture_init(&capture);
}

static void double_close(void)
{
	capture_done(&capture);
	sim_host_done(&host);
}

const struct backend backend_double = {
	.name = "double",
	.kept = "tests/worlds/kept-double",
	.generate = world_generate_double,
	.open = double_open,
	.close = double_close,
	.run = double_run,
};
