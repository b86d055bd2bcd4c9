/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_SYSTEMD_H
#define PMCOORD_HOST_SYSTEMD_H

/* systemd's manager on the system bus, its jobs, and pmcoord's sleep unit. */

#include <stdint.h>

#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

/* sleep.target starts after this unit, which suspends all guests. */
#define SLEEP_UNIT "pmcoord-sleep.service"

/* A queued or running job of systemd. The strings are borrowed from the message. */
struct systemd_job {
	uint32_t id;
	const char *unit;
	const char *type; /* "start", "stop", … */
};

typedef int (*systemd_job_fn)(void *data, const struct systemd_job *job);

/*
 * Calls `handle` for each job in a reply to ListJobs, until `handle` returns a negative
 * errno. Returns 0, that errno, or the errno of a malformed reply.
 */
int systemd_read_jobs(sd_bus_message *reply, systemd_job_fn handle, void *data);

#endif
