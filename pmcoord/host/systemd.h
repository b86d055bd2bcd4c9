/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SYSTEMD_H
#define PMCOORD_HOST_SYSTEMD_H

/* systemd's manager on the system bus, its jobs, and our unit among them. */

#include <stdint.h>

#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

/* What the host's sleep waits for until all guests are down. */
#define SLEEP_UNIT "pmcoord-sleep.service"

/* One that is queued or running; the texts are the message's. */
struct systemd_job {
	uint32_t id;
	const char *unit;
	const char *type; /* "start", "stop", … */
};

typedef int (*systemd_take_job_fn)(void *data, const struct systemd_job *job);

/*
 * Hands each job in the answer to ListJobs to `take`, until that returns a
 * negative errno. Returns 0, that errno, or that of a malformed answer.
 */
int systemd_read_jobs(sd_bus_message *reply, systemd_take_job_fn take, void *data);

#endif
