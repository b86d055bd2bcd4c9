/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_DAEMON_H
#define PMCOORD_DAEMON_DAEMON_H

/*
 * The resident coordinator: keeps event channels bound to all guests and runs
 * one job at a time for its clients. While a job waits, daemon_run also handles
 * other events, e.g. requests of clients.
 */

#include <stdint.h>

#include "pmcoord/error.h"
#include "model/cycle.h"
#include "model/loop.h"
#include "engine/context.h"
#include "engine/host-env.h"
#include "engine/job.h"
#include "daemon/guest-tracker.h"

struct daemon;

/* A client's request for a job. daemon_submit copies the request and its strings. */
struct daemon_request {
	struct job job;
	const char *client; /* sender of the request, for messages, e.g. "process 12" */
	const char *config_path; /* the configuration file to read; NULL: the default file */
	uint64_t timeout_us; /* replaces Deadline=; 0: not given */
	/*
	 * For JOB_SLEEP, the daemon's end of the lease (see lease.h); for other
	 * jobs, negative. daemon_submit takes ownership of lease_fd even on
	 * failure. The daemon sends messages in the format of sd_notify(3) over
	 * lease_fd.
	 */
	int lease_fd;
};

/* Functions that the daemon calls. */
struct daemon_observer {
	/* Called after a record was written to a cycle's journal. */
	void (*step)(void *data, const struct cycle *cycle, const struct record *record);
	/* Called when a job has ended. The outcome is borrowed. */
	void (*job_removed)(void *data, uint64_t id, const struct job_outcome *outcome);
	/* Called between jobs for each guest that was added or removed. */
	guest_tracker_fn guest;
	/* Called when the result of daemon_get_status has changed. */
	void (*changed)(void *data);
	void *data;
};

struct daemon_status {
	uint64_t job; /* number of the running job; 0: the daemon is idle */
	const char *verb; /* of the running job; "" when idle */
	const char *client; /* of the running job; "" when idle */
	const char *phase; /* of the running job's cycle; "idle" when idle */
	uint64_t cycle; /* number of the running or last cycle; 0: none yet */
	const char *last_result; /* result of the last job that had a report; "": none yet */
};

/*
 * Creates a daemon for an open host. `loop` must come from loop_new, because the
 * daemon needs a real clock. If env->loop has a virtual clock, `loop` is another
 * loop; otherwise `loop` is env->loop. `env` and `loop` are borrowed. Returns 0 or
 * -ENOMEM. Release: daemon_free.
 */
int daemon_new(struct host_env *env, struct loop *loop, struct daemon **ret_daemon);
void daemon_free(struct daemon *daemon);

/* Replaces the daemon's observer by a copy of `observer`, whose functions may be NULL. */
void daemon_set_observer(struct daemon *daemon, const struct daemon_observer *observer);

/*
 * Recovers the cycles that an earlier process left unfinished, then runs jobs
 * until the process receives a stop signal or daemon_stop is called. Returns 0
 * after a stop signal, or a negative errno with `error` set.
 */
int daemon_run(struct daemon *daemon, struct error *error);

/*
 * Makes daemon_run return `r`, a negative errno, after the current job has
 * ended. Called by handlers of the loop's events.
 */
void daemon_stop(struct daemon *daemon, int r);

/*
 * Queues a job for daemon_run, and stores the job's number in *ret_id. While a
 * job runs, one sleep or recovery can be queued. Any other job is refused with
 * -EBUSY, and `error` names the running job. Returns 0, or a negative errno with
 * `error` set.
 */
int daemon_submit(struct daemon *daemon, const struct daemon_request *request, uint64_t *ret_id,
		  struct error *error);

/*
 * Interrupts job `id`. The job then undoes what it has done. Returns 0, or
 * -ENOENT if job `id` is not running.
 */
int daemon_cancel(struct daemon *daemon, uint64_t id);

/* Reads the status. Its strings are valid until the daemon handles another event. */
void daemon_get_status(const struct daemon *daemon, struct daemon_status *ret_status);

/*
 * Returns the daemon's coordinator, borrowed. A waiting job may be using the same
 * coordinator. Therefore, use it only to make plans and to load reports: both
 * change nothing.
 */
struct coordinator *daemon_coordinator(struct daemon *daemon);

#endif
