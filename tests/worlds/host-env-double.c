/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The host for --hypervisor=xen, in place of pmcoord/cli/host-env-xen.c: the double of Xen. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/error.h"
#include "engine/host-env.h"
#include "host/loop-event.h"
#include "host/roots.h"
#include "xen/hypervisor-xen.h"
#include "cli/host-env-xen.h"
#include "tests/worlds/backend-double.h"
#include "tests/worlds/double-host.h"

static int double_open(struct host_env *env, struct error *error)
{
	int r = hypervisor_xen_open(env->roots.run, env->kept_fd, &env->hypervisor, error);

	return r < 0 ? r : loop_new(env->hypervisor, &env->loop, error);
}

static int double_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			      struct sleeper **ret_sleeper)
{
	(void)env;
	(void)kind;
	(void)socket_fd;
	*ret_sleeper = double_host_sleeper();
	return 0;
}

static void double_free(struct host_env *env)
{
	free(env);
}

static const struct host_env_ops double_ops = {
	.open = double_open,
	.new_sleeper = double_new_sleeper,
	.free = double_free,
};

int host_env_xen_new(struct host_env **ret_env, struct error *error)
{
	struct host_env *env = calloc(1, sizeof(*env));

	if (!env)
		return error_set(error, -ENOMEM, "out of memory");
	*env = (struct host_env){
		.ops = &double_ops,
		.name = strdup("xen"),
		.kept_fd = -EBADF,
		.channels_fd = -EBADF,
	};
	if (!env->name || roots_init_simulation(backend_double_files(), &env->roots) < 0) {
		host_env_free(env);
		return error_set(error, -ENOMEM, "out of memory");
	}
	*ret_env = env;
	return 0;
}
