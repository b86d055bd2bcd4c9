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
 * Attaches the bus to `event`, whose loop makes all calls later. Returns 0 if the
 * first call, which lists the jobs, is queued, or a negative errno. The loop prints
 * an error if the first call fails, or if a later call cannot be queued.
 */
int sleep_jobs_cancel(sd_bus *bus, sd_event *event);

#endif
