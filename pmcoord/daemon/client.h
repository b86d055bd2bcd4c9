/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_CLIENT_H
#define PMCOORD_DAEMON_CLIENT_H

/* The D-Bus client of the daemon: submits jobs to it and waits for their end. */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "record/journal.h"
#include "engine/job.h"

struct client;

/*
 * Connects to the daemon that runs on this hypervisor ("xen", "sim:<path>").
 * Returns 0; -ENOTCONN, without `error`, if there is no such daemon or no bus;
 * or another negative errno with `error` set. Release: client_close.
 */
int client_open(const char *hypervisor, struct client **ret_client, struct error *error);
void client_close(struct client *client);

/* Whether such a daemon runs; false if it does not answer within 1 s. */
bool client_daemon_is_running(const char *hypervisor);

/* Passed to the daemon with the job, all borrowed; NULL and 0: not set. */
struct client_options {
	const char *config_path;
	uint64_t timeout_us;
	const char *journals; /* the directory of journals; set with `observer` */
	journal_observer_fn observer; /* called for each record of the cycle */
	void *observer_data;
};

/*
 * Submits the job and waits for its end; SIGINT, SIGTERM and SIGHUP cancel it,
 * which undoes it. Returns 0 with the outcome (release: job_outcome_done), or a
 * negative errno with `error` set: -EBUSY if the daemon runs another job,
 * -ECONNRESET if it died during this one.
 */
int client_do(struct client *client, const struct job *job, const struct client_options *options,
	      struct job_outcome *ret_outcome, struct error *error);

/* Whether one of these signals was received. */
bool client_was_interrupted(const struct client *client);

/*
 * Submits a JOB_SLEEP: the daemon keeps the guests suspended until *ret_lease,
 * which the caller owns, is closed or shut down for writing. struct
 * daemon_request describes what can be read from it; lease_hold reads it.
 * Returns 0, or a negative errno as client_do.
 */
int client_sleep(struct client *client, const struct client_options *options, int *ret_lease,
		 struct error *error);

struct client_watch;
struct sd_event;

/* Called for each guest that the daemon reports as added or removed. */
typedef void (*client_guest_fn)(void *data, const char *guest, uint32_t domid, bool was_added);

/*
 * Calls `report` from the event loop for each guest that is added or removed,
 * also when the daemon is started later. Returns 0, or a negative errno, for
 * instance without a bus. Release: client_watch_free.
 */
int client_watch_guests(struct sd_event *event, client_guest_fn report, void *data,
			struct client_watch **ret_watch);
void client_watch_free(struct client_watch *watch);

#endif
