/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sleep-jobs.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host/sleep-manager-systemd.h"
#include "model/sleep-manager.h"
#include "host/systemd.h"

/* Whether the unit of this name writes to /sys/power. */
static bool writes_to_sys_power(const char *unit)
{
	for (int kind = SLEEP_KIND_SUSPEND; kind <= SLEEP_KIND_SUSPEND_THEN_HIBERNATE; kind++)
		if (strcmp(unit, sleep_kind_unit((enum sleep_kind)kind)) == 0)
			return true;
	return false;
}

/*
 * Cancels a job of a service that writes to /sys/power, and stops the service. systemd
 * handles the two calls in this order. Their replies are ignored.
 */
static int cancel_job(void *data, const struct systemd_job *job)
{
	sd_bus *bus = data;
	int r;

	if (!writes_to_sys_power(job->unit))
		return 0;
	/* CancelJob comes first, because StopUnit cannot replace logind's irreversible job. */
	r = sd_bus_call_method_async(bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "CancelJob",
				     NULL, NULL, "u", job->id);
	if (r >= 0)
		r = sd_bus_call_method_async(bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
					     "StopUnit", NULL, NULL, "ss", job->unit, "replace");
	return r;
}

static int on_jobs(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	int r = sd_bus_message_is_method_error(reply, NULL)
			? -sd_bus_message_get_errno(reply)
			: systemd_read_jobs(reply, cancel_job, sd_bus_message_get_bus(reply));

	(void)data;
	(void)error;
	if (r < 0)
		fprintf(stderr,
			"pmcoord: the lid was opened, but systemd's sleep jobs cannot be cancelled (%s): the host may still sleep\n",
			strerror(-r));
	return 0;
}

int sleep_jobs_cancel(sd_bus *bus, sd_event *event)
{
	int r;

	assert(bus && event);
	r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
	/* -EBUSY: the bus is already attached. */
	if (r >= 0 || r == -EBUSY)
		r = sd_bus_call_method_async(bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
					     "ListJobs", on_jobs, NULL, "");
	return r < 0 ? r : 0;
}
