/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/backend-sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/worlds/damage.h"

/* ---- command lines ------------------------------------------------------ */

void command_line_make(const struct sim_host *host, const struct world_step *step,
		       struct command_line *ret)
{
	char *rest = ret->text, *word;

	ret->argc = 0;
	/* A command may name a configuration of its own; the last one counts. */
	snprintf(ret->text, sizeof(ret->text), "pmcoord --config=%s --hypervisor=%s %s",
		 host->config, host->hypervisor, step->text);
	while ((word = strsep(&rest, " ")) && ret->argc + 1 < COMMAND_WORDS_MAX)
		if (word[0])
			ret->argv[ret->argc++] = word;
	ret->argv[ret->argc] = NULL;
}

void outcome_set_status(struct outcome *outcome, const struct world_step *step, int status)
{
	if (WIFEXITED(status)) {
		outcome->code = WEXITSTATUS(status);
		return;
	}
	outcome->code = 128 + WTERMSIG(status);
	outcome->was_killed = step->type == STEP_KILL && WTERMSIG(status) == SIGKILL;
}

/* ---- steps -------------------------------------------------------------- */

/* Nothing fails while no command runs. */
static int pass(struct sim_host *host, const struct world *world, const struct world_step *step)
{
	static struct world calm;

	if (!settings_get(&world->host, "Fail")[0])
		return sim_host_write_scenario(host, world, "Trace=yes\n") < 0
			       ? -1
			       : sim_host_pass(host, step->number);
	host->is_written = false;
	calm = *world;
	for (size_t i = calm.host.n; i-- > 0;)
		if (strcmp(calm.host.items[i].key, "Fail") == 0)
			settings_remove(&calm.host, i);
	if (sim_host_write_scenario(host, &calm, "Trace=yes\n") < 0)
		return -1;
	host->is_written = false;
	return sim_host_pass(host, step->number);
}

static int run_step(struct sim_host *host, const struct world *world, const struct world_step *step,
		    run_command_fn run_command, struct outcome *outcome)
{
	if (step->type == STEP_PASS)
		return pass(host, world, step);
	if (step->type == STEP_DAMAGE)
		return damage_make(host->files, step->text);
	return run_command(host, world, step, outcome);
}

int sim_world_run(struct sim_host *host, const struct world *world, run_command_fn run_command,
		  struct history *ret_history)
{
	struct history history = { .world = world };
	int r = sim_host_begin(host, world);

	for (size_t i = 0; i < world->n_steps && r == 0; i++) {
		struct outcome *outcome = &history.outcomes[i];

		outcome->start_us = i > 0 ? history.outcomes[i - 1].end_us : 0;
		history.n_outcomes++;
		r = run_step(host, world, &world->steps[i], run_command, outcome);
		if (r == 0)
			r = sim_host_observe(host, &history, outcome);
	}
	if (r < 0)
		history_done(&history);
	else
		*ret_history = history;
	return r;
}

/* ---- output ------------------------------------------------------------- */

int capture_init(struct capture *capture)
{
	for (int i = 0; i < 2; i++) {
		capture->fds[i] = memfd_create("output", MFD_CLOEXEC);
		capture->saved[i] = dup(i + 1);
		if (capture->fds[i] < 0 || capture->saved[i] < 0) {
			perror("cannot keep the output of commands");
			return -1;
		}
	}
	return 0;
}

void capture_done(struct capture *capture)
{
	for (int i = 0; i < 2; i++) {
		close(capture->fds[i]);
		close(capture->saved[i]);
	}
}

void capture_start(struct capture *capture)
{
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		if (ftruncate(capture->fds[i], 0) < 0)
			abort();
		lseek(capture->fds[i], 0, SEEK_SET);
		dup2(capture->fds[i], i + 1);
	}
}

void capture_end(struct capture *capture)
{
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		dup2(capture->saved[i], i + 1);
}

static char *read_all(int fd)
{
	struct stat st;
	ssize_t n;
	char *text;

	if (fstat(fd, &st) < 0 || !(text = malloc((size_t)st.st_size + 1)))
		return NULL;
	n = pread(fd, text, (size_t)st.st_size, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

int capture_take(struct capture *capture, struct outcome *outcome)
{
	outcome->out = read_all(capture->fds[0]);
	outcome->err = read_all(capture->fds[1]);
	return outcome->out && outcome->err ? 0 : -1;
}
