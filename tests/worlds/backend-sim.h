/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_BACKEND_SIM_H
#define TESTS_WORLDS_BACKEND_SIM_H

/* What the two back ends on the simulator share: all steps but the commands. */

#include <stddef.h>
#include <sys/types.h>

#include "tests/worlds/history.h"
#include "tests/worlds/sim-host.h"
#include "tests/worlds/world.h"

/* The most words of a command, with the program, its common options and a NULL. */
#define COMMAND_WORDS_MAX 40

/* The words of a command. `argv` points into `text`. */
struct command_line {
	char text[512];
	char *argv[COMMAND_WORDS_MAX];
	int argc;
};

/* Makes the command line of a step. */
void command_line_make(const struct sim_host *host, const struct world_step *step,
		       struct command_line *ret);

/*
 * Runs the command of a step, and sets `code`, `was_killed`, `out` and `err` of the
 * outcome. Returns 0, or -1 if that was not possible.
 */
typedef int (*run_command_fn)(struct sim_host *host, const struct world *world,
			      const struct world_step *step, struct outcome *outcome);

/* Lets a world happen on the host. */
int sim_world_run(struct sim_host *host, const struct world *world, run_command_fn run_command,
		  struct history *ret_history);

/* Sets `code` and `was_killed` from the status of waitpid(2). */
void outcome_set_status(struct outcome *outcome, const struct world_step *step, int status);

/* ---- the output of a command --------------------------------------------- */

/* Files in memory that take the standard output and error of a command. */
struct capture {
	int fds[2];
	int saved[2]; /* the standard output and error of this process */
};

int capture_init(struct capture *capture);
void capture_done(struct capture *capture);
/* Redirects the output of this process to the files, which become empty. */
void capture_start(struct capture *capture);
/* Ends the redirection. */
void capture_end(struct capture *capture);
/* Copies the output to `out` and `err` of the outcome. Returns 0 or -1. */
int capture_take(struct capture *capture, struct outcome *outcome);

#endif
