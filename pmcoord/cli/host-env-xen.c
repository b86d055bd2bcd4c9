/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/host-env-xen.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/error.h"
#include "model/sleeper.h"
#include "host/loop-event.h"
#include "host/roots.h"
#include "host/sleep-manager-systemd.h"
#include "host/sleeper-alarm.h"
#include "host/sleeper-host.h"
#include "xen/hypervisor-xen.h"

static int open_hypervisor(struct host_env *env, struct error *error)
{
	int r = hypervisor_xen_open(env->roots.run, env->kept_fd, &env->hypervisor, error);

	/* The errors of hypervisor_xen_open. -ENOENT: a device node of Xen is missing. */
	error_mark(error, -EPERM, OUTCOME_NOT_PERMITTED);
	error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
	error_mark(error, -ENODEV, OUTCOME_UNSUPPORTED);
	error_mark(error, -ENOENT, OUTCOME_UNSUPPORTED);
	error_mark(error, -EPROTO, OUTCOME_UNSUPPORTED);
	return r;
}

static int xen_open(struct host_env *env, struct error *error)
{
	int r = open_hypervisor(env, error);

	if (r < 0)
		return r;
	env->channels_fd = hypervisor_xen_channels_fd(env->hypervisor);
	r = loop_new(env->hypervisor, &env->loop, error);
	if (r == 0 && sleep_manager_systemd_new(&env->sleep_manager) < 0)
		r = error_set(error, -ENOMEM, "out of memory");
	return r;
}

static int xen_new_sleeper(struct host_env *env, enum sleeper_kind kind, int socket_fd,
			   struct sleeper **ret_sleeper)
{
	switch (kind) {
	case SLEEPER_NONE:
		break;
	case SLEEPER_SYSFS:
		return sleeper_sysfs_new(env->roots.sys, ret_sleeper);
	case SLEEPER_SYSTEMD:
		return sleeper_systemd_new(env->roots.sys, env->roots.systemd, socket_fd,
					   env->sleep_manager, ret_sleeper);
	case SLEEPER_ALARM:
		return sleeper_alarm_new(env->roots.sys, ret_sleeper);
	}
	assert(false);
	return -EINVAL;
}

static void xen_free(struct host_env *env)
{
	free(env);
}

static const struct host_env_ops xen_ops = {
	.open = xen_open,
	.new_sleeper = xen_new_sleeper,
	.free = xen_free,
};

int host_env_xen_new(struct host_env **ret_env, struct error *error)
{
	struct host_env *env = calloc(1, sizeof(*env));

	assert(ret_env);
	if (!env)
		return error_set(error, -ENOMEM, "out of memory");
	*env = (struct host_env){
		.ops = &xen_ops,
		.name = strdup("xen"),
		.locks_memory = true,
		.has_files = true,
		.has_systemd = true,
		.has_daemon = true,
		.kept_fd = -EBADF,
		.channels_fd = -EBADF,
	};
	if (!env->name || roots_init_host(&env->roots) < 0) {
		host_env_free(env);
		return error_set(error, -ENOMEM, "out of memory");
	}
	*ret_env = env;
	return 0;
}
