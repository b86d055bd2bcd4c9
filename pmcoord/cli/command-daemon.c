/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* daemon: the resident service, run by pmcoord.service. */

#include <string.h>

#include "pmcoord/descriptor-store.h"
#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "model/loop.h"
#include "host/loop-event.h"
#include "host/memory.h"
#include "engine/host-env.h"
#include "daemon/daemon.h"
#include "daemon/service.h"
#include "cli/cli.h"

/* The name of the event channels' descriptor in systemd's file descriptor store. */
#define KEPT_NAME "channels"

static int serve(struct cli *cli, struct loop *loop, struct error *error)
{
	struct service *service = NULL;
	struct daemon *daemon = NULL;
	int r = daemon_new(cli->env, loop, &daemon);

	if (r < 0)
		error_set(error, r, "cannot start the daemon: %s", strerror(-r));
	if (r == 0)
		r = service_open(daemon, loop_event(loop), cli->env->name, &service, error);
	if (r == 0)
		r = daemon_run(daemon, error);
	service_close(service);
	daemon_free(daemon);
	return r;
}

enum exit_code command_daemon(struct cli *cli)
{
	struct host_env *env = cli->env;
	struct loop *own = NULL;
	struct error error = { 0 };
	int r = 0;

	env->kept_fd = descriptor_store_take(KEPT_NAME);
	/*
	 * Lock memory before libxenstore creates its thread, so that the
	 * thread's heap is locked.
	 */
	if (env->locks_memory)
		r = memory_lock(&error);
	if (r == 0)
		r = cli_open_host(cli, &error);
	if (r < 0)
		return cli_fail(&error);
	if (env->channels_fd >= 0)
		descriptor_store_put(KEPT_NAME, env->channels_fd);
	/* A loop with a virtual clock cannot wait for clients, so the daemon needs another loop. */
	if (env->has_virtual_clock)
		r = loop_new(NULL, &own, &error);
	if (r == 0)
		r = serve(cli, own ? own : env->loop, &error);
	loop_free(own);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}
