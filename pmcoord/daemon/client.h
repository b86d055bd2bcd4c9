/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_CLIENT_H
#define PMCOORD_DAEMON_CLIENT_H

/* Has the daemon do a job. */

#include <stdbool.h>
#include <stdint.h>

#include "engine/job.h"
#include "record/journal.h"

struct client;

/*
 * Finds the daemon that runs on this hypervisor ("xen", "sim:<path>"). Returns
 * 0 and the client, or -ENOTCONN where there is none (no bus is none), or
 * another negative errno with `error` set.
 */
int client_open(const char *hypervisor, struct client **ret_client, struct error *error);
void client_close(struct client *client);

/*
 * Whether such a daemon runs; asks only, and takes no answer within a second
 * for a no.
 */
bool client_daemon_is_running(const char *hypervisor);

/* What is passed on to the daemon besides the job; NULL and 0: nothing. */
struct client_options {
	const char *config_path;
	uint64_t timeout_us;
	const char *journals; /* where the cycle's journal can be followed */
	journal_observer_fn observer; /* told of each of its records */
	void *observer_data;
};

/*
 * Has the job done and waits for its end; SIGINT, SIGTERM and SIGHUP undo it.
 * Returns 0 with the outcome, or negative with `error` set: -EBUSY if the
 * daemon is at work, -ECONNRESET if it died in the middle of it.
 */
int client_do(struct client *client, const struct job *job, const struct client_options *options,
	      struct job_outcome *ret_outcome, struct error *error);

/* Whether a signal has stopped the last job. */
bool client_was_interrupted(const struct client *client);

/*
 * Has the daemon put the guests to sleep for as long as the descriptor in
 * *ret_lease, the caller's, is open for writing. See struct daemon_request for
 * what can be read from it. Returns 0 or as client_do.
 */
int client_sleep(struct client *client, const struct client_options *options, int *ret_lease,
		 struct error *error);

struct client_watch;
struct sd_event;

/* A guest has come, or has gone. */
typedef void (*client_guest_fn)(void *data, const char *guest, uint32_t domid, bool has_come);

/*
 * Has the daemon, also one that starts later, tell of guests that come and go,
 * in events of the loop. Returns 0 or a negative errno, which without a bus is
 * to be expected. Release: client_watch_free, also of NULL.
 */
int client_watch_guests(struct sd_event *event, client_guest_fn tell, void *data,
			struct client_watch **ret_watch);
void client_watch_free(struct client_watch *watch);

#endif
