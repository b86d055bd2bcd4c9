/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEP_JOBS_H
#define PMCOORD_HOST_SLEEP_JOBS_H

/* Cancels the systemd jobs that put the host to sleep. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/*
 * Cancels the queued jobs of the services that write to /sys/power, and stops these
 * services. A kernel that is already entering the sleep is not stopped.
 *
 * Attaches the bus to `event`, and queues a call that lists the jobs. The loop of
 * `event` makes this call and those that follow. Returns 0, or a negative errno if the
 * first call cannot be queued. The loop prints an error if the first call fails, or if
 * a later call cannot be queued.
 */
int sleep_jobs_cancel(sd_bus *bus, sd_event *event);

#endif
