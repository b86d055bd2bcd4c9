/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/host-env.h"

#include <assert.h>
#include <stdlib.h>

int host_env_open(struct host_env *env, struct error *error)
{
	assert(env);
	return env->hypervisor ? 0 : env->ops->open(env, error);
}

int host_env_connect(struct host_env *env, struct error *error)
{
	assert(env && env->hypervisor);
	return env->hypervisor->ops->connect(env->hypervisor, error);
}

int host_env_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			 struct sleeper **ret_sleeper)
{
	assert(env && env->hypervisor && ret_sleeper);
	if (kind == SLEEPER_NONE) {
		*ret_sleeper = NULL;
		return 0;
	}
	return env->ops->new_sleeper(env, kind, socket_fd, ret_sleeper);
}

void host_env_free(struct host_env *env)
{
	if (!env)
		return;
	sleep_manager_free(env->sleep_manager);
	loop_free(env->loop);
	hypervisor_close(env->hypervisor);
	roots_done(&env->roots);
	free(env->name);
	env->ops->free(env);
}
