/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * notify: sends desktop notifications of cycles whose result is not ok, see
 * hooks/pmcoord-notify.service.
 */

#include <string.h>

#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "daemon/desktop.h"
#include "cli/cli.h"

/* Sends notifications until the session's bus disconnects. */
static int notify_session(const char *reports, sd_bus *bus, sd_event *event, struct error *error)
{
	struct desktop *desktop = NULL;
	int r = sd_bus_set_exit_on_disconnect(bus, 1);

	if (r >= 0)
		r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = desktop_new(reports, bus, event, &desktop, error);
	if (r >= 0)
		r = sd_event_loop(event);
	desktop_free(desktop);
	return r;
}

enum exit_code command_notify(struct cli *cli)
{
	struct error error = { 0 };
	sd_event *event = NULL;
	sd_bus *bus = NULL;
	int r = sd_event_new(&event);

	if (r >= 0)
		r = sd_bus_open_user(&bus);
	if (r >= 0)
		r = notify_session(cli->env->roots.reports, bus, event, &error);
	if (r < 0)
		error_set(&error, r, "cannot reach the session's bus: %s", strerror(-r));
	sd_bus_flush_close_unref(bus);
	sd_event_unref(event);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}
