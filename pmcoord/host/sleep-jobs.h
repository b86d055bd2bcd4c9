/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SLEEP_JOBS_H
#define PMCOORD_HOST_SLEEP_JOBS_H

/* systemd's jobs that put the host to sleep, seen from within sleep.target. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/*
 * Calls the host's sleep off as far as systemd can: cancels the jobs of the
 * services that write to /sys/power, and stops those that are about to. Returns
 * when that is on its way, 0 or a negative errno; the rest happens in events of
 * `event`, to which the bus is attached. A kernel that has begun to sleep is
 * not stopped by this.
 */
int sleep_jobs_call_off(sd_bus *bus, sd_event *event);

#endif
