/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEP_JOBS_H
#define PMCOORD_HOST_SLEEP_JOBS_H

/* Cancels the systemd jobs that put the host to sleep, from within sleep.target. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/*
 * Cancels the queued jobs of the services that write to /sys/power, and stops
 * those services. Returns 0, or a negative errno, when the request is queued:
 * the calls run in `event`, to which the bus is attached, and their errors are
 * printed. A kernel that is already entering the sleep is not stopped.
 */
int sleep_jobs_cancel(sd_bus *bus, sd_event *event);

#endif
