/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_CLIENT_H
#define PMCOORD_DAEMON_CLIENT_H

/* A D-Bus client of the daemon: submits a job and waits until the job has ended. */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "record/journal.h"
#include "engine/job.h"

struct client;

/*
 * Connects to the daemon that runs on this hypervisor ("xen", "sim:<path>").
 * Returns 0; -ENOTCONN, with `error` unset, if there is no such daemon or no
 * bus; or another negative errno with `error` set. Release: client_close.
 */
int client_open(const char *hypervisor, struct client **ret_client, struct error *error);
void client_close(struct client *client);

/* Whether a daemon runs on this hypervisor; false if no daemon answers within 1 s. */
bool client_daemon_is_running(const char *hypervisor);

/* Options of a job. Pointers are borrowed; NULL and 0 mean that an option is not set. */
struct client_options {
	const char *config_path; /* the configuration file that the daemon reads for the job */
	uint64_t timeout_us; /* replaces Deadline= */
	const char *journals; /* the directory of journals; required with `observer` */
	journal_observer_fn observer; /* called for each record of the job's cycle */
	void *observer_data;
};

/*
 * Submits the job and waits until the job has ended. SIGINT, SIGTERM and SIGHUP
 * cancel the job: the daemon then undoes what the job has done. Returns 0 with
 * the outcome (release: job_outcome_done), or a negative errno with `error`
 * set: -EBUSY if the daemon runs another job, -ECONNRESET if the daemon died
 * before the job ended.
 */
int client_do(struct client *client, const struct job *job, const struct client_options *options,
	      struct job_outcome *ret_outcome, struct error *error);

/* Whether SIGINT, SIGTERM or SIGHUP was received during client_do. */
bool client_was_interrupted(const struct client *client);

/*
 * Submits a JOB_SLEEP for the sleep unit. *ret_lease is the sleep unit's end of
 * the lease (see lease.h), owned by the caller. The daemon keeps the guests
 * suspended until the caller closes this end or shuts it down for writing.
 * lease_hold reads the daemon's messages from this end. Returns 0, or a
 * negative errno with `error` set: -EBUSY if the daemon runs a job and another
 * job already waits.
 */
int client_sleep(struct client *client, const struct client_options *options, int *ret_lease,
		 struct error *error);

struct client_watch;
struct sd_event;

/* Called for each guest that the daemon reports as added or removed. */
typedef void (*client_guest_fn)(void *data, const char *guest, uint32_t domid, bool was_added);

/*
 * Calls `report` from the event loop `event` for each guest that is added or
 * removed. The daemon may be started later. Returns 0, or a negative errno,
 * e.g. if there is no system bus. Release: client_watch_free.
 */
int client_watch_guests(struct sd_event *event, client_guest_fn report, void *data,
			struct client_watch **ret_watch);
void client_watch_free(struct client_watch *watch);

#endif
