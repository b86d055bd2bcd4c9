/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_DAEMON_H
#define PMCOORD_DAEMON_DAEMON_H

/*
 * The resident coordinator: keeps event channels bound to all guests and runs
 * one job at a time for its clients. A job runs to its end within daemon_run,
 * which dispatches other events, those of clients included, while the job waits.
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

/* A client's request; copied by daemon_submit. */
struct daemon_request {
	struct job job;
	const char *client; /* for messages: "process 12" */
	const char *config_path; /* NULL: the default */
	uint64_t timeout_us; /* instead of Deadline=; 0: as configured */
	/*
	 * JOB_SLEEP: a socket that daemon_submit takes ownership of, also on
	 * failure; otherwise negative. The daemon sends the job's progress to
	 * it in the format of sd_notify(3), and resumes the guests when its
	 * other end is closed or shut down for writing.
	 */
	int lease_fd;
};

struct daemon_observer {
	/* A record was written to a cycle's journal. */
	void (*step)(void *data, const struct cycle *cycle, const struct record *record);
	/* A job has ended; the outcome is borrowed. */
	void (*job_removed)(void *data, uint64_t id, const struct job_outcome *outcome);
	/* Between jobs: a guest was added or removed; borrowed. */
	guest_tracker_fn guest;
	/* What daemon_get_status returns has changed. */
	void (*changed)(void *data);
	void *data;
};

struct daemon_status {
	uint64_t job; /* 0: idle */
	const char *verb; /* of the job; "" when idle */
	const char *client;
	const char *phase; /* of its cycle; "idle" when idle */
	uint64_t cycle; /* the running or last one; 0: none yet */
	const char *last_result; /* of the last job that had a report, or "" */
};

/*
 * Creates a daemon on an open host and the process's loop (loop_new); both are
 * borrowed. `loop` is the host's own, unless the host has a virtual clock.
 * Returns 0 or -ENOMEM. Release: daemon_free.
 */
int daemon_new(struct host_env *env, struct loop *loop, struct daemon **ret_daemon);
void daemon_free(struct daemon *daemon);

/* Replaces the observer, which is copied; any of its functions may be NULL. */
void daemon_set_observer(struct daemon *daemon, const struct daemon_observer *observer);

/*
 * Recovers the cycles that an earlier process left, then runs jobs until a stop
 * signal or daemon_stop. Returns 0, or a negative errno with `error` set.
 */
int daemon_run(struct daemon *daemon, struct error *error);

/*
 * Ends daemon_run with `r` (negative errno) when the current job has ended.
 * For handlers of the loop's events.
 */
void daemon_stop(struct daemon *daemon, int r);

/*
 * Queues a job for daemon_run and sets its number. Returns 0; -EBUSY, with the
 * running job in `error`, if another job runs (one sleep or recovery waits for
 * it to end); or another negative errno with `error` set.
 */
int daemon_submit(struct daemon *daemon, const struct daemon_request *request, uint64_t *ret_id,
		  struct error *error);

/* Interrupts the job and undoes it. Returns 0, or -ENOENT if it does not run. */
int daemon_cancel(struct daemon *daemon, uint64_t id);

/* The strings are valid until the daemon handles another event. */
void daemon_get_status(const struct daemon *daemon, struct daemon_status *ret_status);

/*
 * For read-only requests (plans, reports), between jobs and while a job waits.
 * Borrowed.
 */
struct coordinator *daemon_coordinator(struct daemon *daemon);

#endif
