/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service behind pmcoord.service. */

#include "cli/cli.h"

#include <errno.h>
#include <string.h>

#include "daemon/daemon.h"
#include "pmcoord/descriptor-store.h"
#include "xen/hypervisor-xen.h"
#include "host/loop-event.h"
#include "host/memory.h"
#include "daemon/service.h"

/* Under this name the service manager keeps our event channels. */
#define KEPT_NAME "channels"

static int serve(struct cli *cli, struct loop *loop, struct error *error)
{
	struct daemon_host host = {
		.roots = &cli->roots,
		.hypervisor = cli->hypervisor,
		.sleep_manager = cli->sleep_manager,
		.loop = loop,
		.virtual_loop = cli->options.scenario ? cli->loop : NULL,
		.simulated_sleeper = cli->simulated_sleeper,
	};
	struct service *service = NULL;
	struct daemon *daemon = NULL;
	int r = daemon_new(&host, &daemon);

	if (r == 0)
		r = cli->hypervisor->ops->watch_domains(cli->hypervisor);
	if (r < 0)
		error_set(error, r, "cannot begin: %s", strerror(-r));
	if (r == 0)
		r = service_open(daemon, loop_event(loop), cli_hypervisor(cli), &service, error);
	if (r == 0)
		r = daemon_run(daemon, error);
	service_close(service);
	daemon_free(daemon);
	return r;
}

enum exit_code command_daemon(struct cli *cli)
{
	struct loop *loop = NULL;
	struct error error = { 0 };
	enum exit_code code;
	int r = 0;

	if (!cli->options.scenario) {
		cli->kept_fd = descriptor_store_take(KEPT_NAME);
		/* Before libxenstore makes its thread, which has a heap. */
		r = memory_lock(&error);
	}
	if (r < 0)
		return cli_fail(&error);
	code = cli_open(cli);
	if (code != EXIT_AS_PLANNED)
		return code;
	if (cli->options.scenario)
		/* Its own loop has a clock that never waits. */
		r = loop_new(NULL, &loop, &error);
	else
		descriptor_store_put(KEPT_NAME, hypervisor_xen_channels_fd(cli->hypervisor));
	if (r == 0)
		r = serve(cli, loop ? loop : cli->loop, &error);
	loop_free(loop);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}
