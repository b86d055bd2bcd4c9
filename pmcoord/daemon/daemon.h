/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_DAEMON_DAEMON_H
#define PMCOORD_DAEMON_DAEMON_H

/*
 * The resident coordinator: keeps channels to all guests, and does one job
 * after the other for whoever asks. A job runs to its end inside of daemon_run,
 * which serves other events, and so its clients, whenever it waits.
 */

#include "engine/host-env.h"
#include "engine/job.h"
#include "record/journal.h"
#include "daemon/guest-tracker.h"
#include "model/sleeper.h"

struct daemon;

/* What a client asks for; copied by daemon_submit. */
struct daemon_request {
	struct job job;
	const char *client; /* who asks, for people: "process 12" */
	const char *config_path; /* NULL: the default */
	uint64_t timeout_us; /* instead of Deadline=; 0: as configured */
	/*
	 * JOB_SLEEP: a socket, ours from now on. It is told, in the words of
	 * sd_notify(3), how the job goes; when its other end closes (for
	 * writing, or with its process), the guests are brought back.
	 */
	int lease_fd;
};

struct daemon_observer {
	/* A record was written to a cycle's journal. */
	void (*step)(void *data, const struct cycle *cycle, const struct record *record);
	/* The job has ended; the outcome is borrowed. */
	void (*job_removed)(void *data, uint64_t id, const struct job_outcome *outcome);
	/* Between jobs: a guest has come, or has gone; borrowed. */
	guest_tracker_fn guest;
	/* daemon_status has changed. */
	void (*changed)(void *data);
	void *data;
};

struct daemon_status {
	uint64_t job; /* 0: idle */
	const char *verb; /* of the job; "" when idle */
	const char *client;
	const char *phase; /* of its cycle; "idle" when idle */
	uint64_t cycle; /* the last one there was, 0: none yet */
	const char *last_result; /* of the last job that had a report, or "" */
};

/*
 * On a host that is open, with a loop of the process (loop_new); both are
 * borrowed. The host's own loop is the same, unless its clock is virtual.
 * Returns 0 or -ENOMEM.
 */
int daemon_new(struct host_env *env, struct loop *loop, struct daemon **ret_daemon);
void daemon_free(struct daemon *daemon);

void daemon_set_observer(struct daemon *daemon, const struct daemon_observer *listener);

/*
 * Takes up what a former process has left, and then serves until the process
 * is told to stop or daemon_give_up was called. Returns 0, or a negative errno.
 */
int daemon_run(struct daemon *daemon, struct error *error);

/* To be called from events of the loop: daemon_run ends when it is idle. */
void daemon_give_up(struct daemon *daemon, int r);

/*
 * Begins a job, and returns before it is done. One at a time: -EBUSY with
 * `error` saying who is at work; only a sleep waits for its turn.
 */
int daemon_submit(struct daemon *daemon, const struct daemon_request *request, uint64_t *ret_id,
		  struct error *error);

/* Undoes the job if it is the one under way. Returns 0 or -ENOENT. */
int daemon_cancel(struct daemon *daemon, uint64_t id);

void daemon_get_status(const struct daemon *daemon, struct daemon_status *ret_status);

/* For what only looks; between jobs and in their waits. Borrowed. */
struct coordinator *daemon_coordinator(struct daemon *daemon);

#endif
