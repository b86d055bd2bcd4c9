/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Commands as processes of their own, which SIGKILL ends at any moment. */

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/worlds/backend-sim.h"
#include "tests/worlds/backend.h"
#include "tests/worlds/generate.h"

extern char **environ;

static struct sim_host host;
static struct capture capture;

static const char *program(void)
{
	const char *named = getenv("PMCOORD");

	return named ? named : "build/pmcoord";
}

/* Kills the process after `us` of real time, unless it has ended by then. */
static void kill_after(pid_t child, uint64_t us)
{
	int fd = pidfd_open(child, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct timespec timeout = { .tv_sec = (time_t)(us / 1000000),
				    .tv_nsec = (long)(us % 1000000) * 1000 };

	if (fd < 0 || ppoll(&poll_fd, 1, &timeout, NULL) == 0)
		kill(child, SIGKILL);
	if (fd >= 0)
		close(fd);
}

/* Runs the command. `kill_us` 0: it is not killed from here. */
static int run_process(struct sim_host *on, const struct world_step *step, uint64_t kill_us,
		       struct outcome *outcome)
{
	struct command_line line;
	int status, r;
	pid_t child;

	command_line_make(on, step, &line);
	capture_start(&capture);
	r = posix_spawn(&child, program(), NULL, NULL, line.argv, environ);
	capture_end(&capture);
	if (r != 0) {
		fprintf(stderr, "cannot run %s: %s\n", program(), strerror(r));
		return -1;
	}
	if (kill_us > 0)
		kill_after(child, kill_us);
	if (waitpid(child, &status, 0) < 0)
		return -1;
	outcome_set_status(outcome, step, status);
	return capture_take(&capture, outcome);
}

static int run_command(struct sim_host *on, const struct world *world,
		       const struct world_step *step, struct outcome *outcome)
{
	char more[64] = "Trace=yes\n";

	if (step->type == STEP_KILL)
		snprintf(more, sizeof(more), "Trace=yes\nKilledAt=%" PRIu64 "\n", step->number);
	if (sim_host_write_scenario(on, world, more) < 0)
		return -1;
	return run_process(on, step, 0, outcome);
}

static int run_and_kill(struct sim_host *on, const struct world *world,
			const struct world_step *step, struct outcome *outcome)
{
	if (sim_host_write_scenario(on, world, "Trace=yes\nKeepState=always\n") < 0)
		return -1;
	return run_process(on, step, step->type == STEP_KILL ? step->number * 100 : 0, outcome);
}

static int processes_open(void)
{
	return sim_host_init(&host) < 0 ? -1 : capture_init(&capture);
}

static void processes_close(void)
{
	capture_done(&capture);
	sim_host_done(&host);
}

static int processes_run(const struct world *world, struct history *ret_history)
{
	return sim_world_run(&host, world, run_command, ret_history);
}

static int random_kills_run(const struct world *world, struct history *ret_history)
{
	return sim_world_run(&host, world, run_and_kill, ret_history);
}

const struct backend backend_random_kills = {
	.name = "random kills",
	.kept = "tests/worlds/kept",
	.generate = world_generate,
	.is_random = true,
	.open = processes_open,
	.close = processes_close,
	.run = random_kills_run,
};

const struct backend backend_processes = {
	.name = "processes",
	.kept = "tests/worlds/kept",
	.generate = world_generate,
	.open = processes_open,
	.close = processes_close,
	.run = processes_run,
};
