/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/host-env-sim.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/hash.h"
#include "base/directory.h"
#include "model/sleeper.h"
#include "host/roots.h"
#include "sim/simulator.h"

struct sim_env {
	struct host_env env;
	const char *scenario;
	bool quiet;
	struct sleeper *sleeper; /* set by sim_open; owned by the hypervisor */
};

static struct sim_env *sim_of(struct host_env *env)
{
	return (struct sim_env *)env;
}

static int sim_open(struct host_env *env, struct error *error)
{
	struct sim_env *self = sim_of(env);
	_cleanup_(freep) char *state = NULL;

	if (asprintf(&state, "%s/simulator", env->roots.run) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	if (!self->quiet)
		fprintf(stderr, "pmcoord: SIMULATION of %s; this host is not changed\n",
			self->scenario);
	return simulator_open(self->scenario, state, &env->hypervisor, &env->loop, &self->sleeper,
			      error);
}

/* Returns the simulator's only sleeper for every kind. */
static int sim_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			   struct sleeper **ret_sleeper)
{
	(void)kind;
	(void)socket_fd;
	*ret_sleeper = sim_of(env)->sleeper;
	return 0;
}

static void sim_free(struct host_env *env)
{
	free(sim_of(env));
}

static const struct host_env_ops sim_ops = {
	.open = sim_open,
	.new_sleeper = sim_new_sleeper,
	.free = sim_free,
};

/*
 * Writes to `ret` the path of the directory for the simulated host's state,
 * journals and reports. Each scenario file has its own directory, named after
 * the hash of the file's path.
 */
static int simulation_directory(const char *scenario, char *ret, size_t size, struct error *error)
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
		return error_refuse(
			error, OUTCOME_USAGE,
			"cannot use %s for simulations: it must be a directory that you own", base);
	snprintf(ret, size, "%s/%016" PRIx64, base, hash_text(HASH_START, real));
	return 0;
}

static int set_up(struct host_env *env, const char *scenario, struct error *error)
{
	char directory[256] = "", path[PATH_MAX];
	int r = simulation_directory(scenario, directory, sizeof(directory), error);

	if (r == 0)
		r = directory_make(directory);
	if (r == 0)
		r = roots_init_simulation(directory, &env->roots);
	if (r == 0 &&
	    asprintf(&env->name, "sim:%s", realpath(scenario, path) ? path : scenario) < 0) {
		env->name = NULL;
		r = -ENOMEM;
	}
	if (r == 0)
		return 0;
	error_set(error, r, "cannot simulate a host in %s: %s", directory, strerror(-r));
	error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
	return r;
}

int host_env_sim_new(const char *scenario, bool quiet, struct host_env **ret_env,
		     struct error *error)
{
	struct sim_env *self = calloc(1, sizeof(*self));
	int r;

	assert(scenario);
	assert(ret_env);
	if (!self)
		return error_set(error, -ENOMEM, "out of memory");
	*self = (struct sim_env){
		.env = {
			.ops = &sim_ops,
			.has_virtual_clock = true,
			.kept_fd = -EBADF,
			.channels_fd = -EBADF,
		},
		.scenario = scenario,
		.quiet = quiet,
	};
	r = set_up(&self->env, scenario, error);
	if (r < 0) {
		host_env_free(&self->env);
		return r;
	}
	*ret_env = &self->env;
	return 0;
}
