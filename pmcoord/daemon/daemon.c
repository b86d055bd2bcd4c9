/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/config.h"
#include "model/cycle.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/sleeper.h"
#include "host/lid.h"
#include "host/lock.h"
#include "host/loop-event.h"
#include "record/config-file.h"
#include "record/report.h"
#include "engine/context.h"
#include "engine/prearm.h"
#include "engine/recover.h"
#include "view/progress.h"

/*
 * How long a sleep or a recovery waits for the end of another process's cycle.
 * A cycle can take Deadline= (30 s by default) plus the time of the undo.
 */
#define LOCK_TIMEOUT_US 40000000ull

/*
 * Delay between an event and the inventory that the event causes. One inventory
 * then covers the many xenstore nodes that a starting domain changes at once.
 */
#define REFRESH_DELAY_US 100000

/*
 * Shortest time between an inventory and the next inventory that an event
 * causes. Limits the load, because guests can cause events at any rate.
 */
#define REFRESH_INTERVAL_US 1000000

/*
 * Shortest time between two recoveries of guests that have suspended late. Limits the load
 * if a recovery fails.
 */
#define LATE_INTERVAL_US 5000000

/*
 * How long the daemon may hang during a job before the service manager restarts
 * the daemon. Between jobs there is no limit.
 */
#define WATCHDOG_US 60000000ull

struct daemon_job {
	uint64_t id;
	struct job job;
	char *client;
	char *config_path;
	uint64_t timeout_us;
	int lease_fd; /* see struct daemon_request */
	sd_event_source *lease_source;
	bool lease_has_ended;
};

struct daemon {
	struct host_env *env;
	struct loop *loop; /* with a real clock; coordinator.loop may have a virtual clock */
	struct daemon_observer observer;
	struct config config;
	struct coordinator coordinator;
	struct progress progress;
	struct daemon_job *current;
	struct daemon_job *waiting;
	uint64_t last_id;
	char phase[sizeof(((struct cycle_phase *)NULL)->name)];
	uint64_t cycle;
	const char *last_result; /* see struct daemon_status */
	char last_message[ERROR_TEXT_MAX]; /* message of the job that set last_result; "": none */
	uint64_t refresh_at_us; /* time of the next inventory; LOOP_FOREVER: none until an event */
	uint64_t refreshed_us; /* time of the last inventory */
	uint64_t late_at_us; /* when to look after late guests; LOOP_FOREVER: at an event */
	uint64_t late_tried_us; /* time of the last recovery of late guests */
	bool is_watching; /* watch_domains has succeeded */
	struct guest_tracker tracker;
	int stopped; /* negative errno of daemon_stop; 0: daemon_run continues */
};

/* ---- jobs --------------------------------------------------------------- */

static void job_free(struct daemon_job *job)
{
	if (!job)
		return;
	sd_event_source_disable_unref(job->lease_source);
	closep(&job->lease_fd);
	for (size_t i = 0; i < job->job.n_names; i++)
		free(job->job.names[i]);
	free(job->job.names);
	free(job->client);
	free(job->config_path);
	free(job);
}

static int copy_names(const struct job *from, struct job *to)
{
	to->names = calloc(from->n_names + 1, sizeof(*to->names));
	if (!to->names)
		return -ENOMEM;
	for (; to->n_names < from->n_names; to->n_names++) {
		to->names[to->n_names] = strdup(from->names[to->n_names]);
		if (!to->names[to->n_names])
			return -ENOMEM;
	}
	return 0;
}

static int job_new(struct daemon *daemon, const struct daemon_request *request,
		   struct daemon_job **ret_job)
{
	struct daemon_job *job = calloc(1, sizeof(*job));

	if (!job) {
		if (request->lease_fd >= 0)
			close(request->lease_fd);
		return -ENOMEM;
	}
	*job = (struct daemon_job){
		.id = ++daemon->last_id,
		.job = request->job,
		.client = strdup(request->client),
		.timeout_us = request->timeout_us,
		.lease_fd = request->lease_fd,
	};
	job->job.names = NULL;
	job->job.n_names = 0;
	if (request->config_path)
		job->config_path = strdup(request->config_path);
	if (!job->client || (request->config_path && !job->config_path) ||
	    copy_names(&request->job, &job->job) < 0) {
		job_free(job);
		return -ENOMEM;
	}
	*ret_job = job;
	return 0;
}

/*
 * Called when the sleep unit has closed its end of the lease, has shut it down
 * for writing, or has died. Interrupts the job, which then resumes the guests.
 * If the job has not started yet, run_job interrupts it later. EPOLLIN means
 * end of file, because the sleep unit sends nothing.
 */
static int on_lease(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct daemon *daemon = data;
	struct daemon_job *job = daemon->current && daemon->current->lease_fd == fd
					 ? daemon->current
					 : daemon->waiting;

	(void)events;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	job->lease_has_ended = true;
	if (job == daemon->current)
		loop_interrupt(daemon->coordinator.loop, SIGTERM);
	return 0;
}

static int watch_lease(struct daemon *daemon, struct daemon_job *job)
{
	int r;

	if (job->lease_fd < 0)
		return 0;
	r = sd_event_add_io(loop_event(daemon->loop), &job->lease_source, job->lease_fd,
			    EPOLLIN | EPOLLRDHUP, on_lease, daemon);
	return r < 0 ? r : 0;
}

static void send_to_lease(const struct daemon_job *job, const char *text)
{
	/* Errors are ignored, because on_lease handles a sleep unit that has closed its end. */
	if (job->lease_fd >= 0)
		send(job->lease_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int report_busy(const struct daemon *daemon, struct error *error)
{
	char holder[128];

	snprintf(holder, sizeof(holder), "%s, %s", job_kind(daemon->current->job.verb)->name,
		 daemon->current->client);
	return lock_describe_holder(holder, error);
}

static void notify_changed(struct daemon *daemon)
{
	if (daemon->observer.changed)
		daemon->observer.changed(daemon->observer.data);
}

int daemon_submit(struct daemon *daemon, const struct daemon_request *request, uint64_t *ret_id,
		  struct error *error)
{
	bool may_wait = job_kind(request->job.verb)->waits && !daemon->waiting;
	struct daemon_job *job;
	int r = 0;

	assert(request->client && ret_id);
	if (daemon->current && !may_wait) {
		if (request->lease_fd >= 0)
			close(request->lease_fd);
		return report_busy(daemon, error);
	}
	r = job_new(daemon, request, &job);
	if (r == 0) {
		r = watch_lease(daemon, job);
		if (r < 0)
			job_free(job);
	}
	if (r < 0)
		return error_set(error, r, "cannot start the job: %s", strerror(-r));
	if (daemon->current)
		daemon->waiting = job;
	else
		daemon->current = job;
	*ret_id = job->id;
	notify_changed(daemon);
	return 0;
}

int daemon_cancel(struct daemon *daemon, uint64_t id)
{
	assert(daemon);
	if (!daemon->current || daemon->current->id != id)
		return -ENOENT;
	loop_interrupt(daemon->coordinator.loop, SIGINT);
	return 0;
}

/* ---- observers ---------------------------------------------------------- */

/*
 * Called after each record of a job. If env->loop has a virtual clock, the job
 * waits in env->loop, which does not handle requests of clients. Runs
 * daemon->loop to handle them.
 */
static void serve_clients(struct daemon *daemon)
{
	if (daemon->env->has_virtual_clock)
		while (sd_event_run(loop_event(daemon->loop), 0) > 0)
			;
}

static void observe(void *data, const struct cycle *cycle, const struct record *record)
{
	struct daemon *daemon = data;

	progress_observe(&daemon->progress, cycle, record);
	daemon->cycle = cycle->head.number;
	if (record->type == RECORD_PHASE) {
		snprintf(daemon->phase, sizeof(daemon->phase), "%s", record->text);
		notify_changed(daemon);
	}
	if (daemon->observer.step)
		daemon->observer.step(daemon->observer.data, cycle, record);
	serve_clients(daemon);
}

static void print_warning(void *data, bool is_problem, const char *warning)
{
	(void)data;
	(void)is_problem;
	fprintf(stderr, "pmcoord: %s\n", warning);
}

/*
 * Loads the configuration for `job`, or the default configuration if `job` is NULL.
 * Called for each job, so that an edit of the file takes effect without a restart. Fails
 * only if a job that suspends names a file that cannot be read.
 */
static int load_config(struct daemon *daemon, const struct daemon_job *job, struct error *error)
{
	const char *path = job && job->config_path ? job->config_path : CONFIG_DEFAULT_PATH;
	struct error unreadable = { 0 };
	struct config config;
	int r;

	config_init(&config);
	r = config_load(&config, path, print_warning, NULL, &unreadable);
	if (r == -ENOENT && job && job->config_path)
		error_set(&unreadable, r, "cannot read %s: %s", path, strerror(-r));
	if (r < 0 && job && job->config_path && !job_kind(job->job.verb)->resumes) {
		config_done(&config);
		error_set(error, r, "%s", error_text(&unreadable));
		error_mark(error, r, OUTCOME_USAGE);
		return r;
	}
	/* Out of memory, the last configuration is the better one. */
	if (r == -ENOMEM) {
		config_done(&config);
		print_warning(NULL, true, error_text(&unreadable));
		return 0;
	}
	if (job && job->timeout_us)
		config.deadline_us = job->timeout_us;
	config_done(&daemon->config);
	daemon->config = config;
	return 0;
}

/* ---- running a job ------------------------------------------------------ */

static int run_job(struct daemon *daemon, struct daemon_job *job, struct job_outcome *outcome,
		   struct error *error)
{
	_cleanup_(closep) int lock = -EBADF;
	const struct job_kind *kind = job_kind(job->job.verb);
	struct sleeper *sleeper = NULL;
	char purpose[96];
	int r = load_config(daemon, job, error);

	if (r < 0)
		return r;
	snprintf(purpose, sizeof(purpose), "%s, requested by %s", kind->name, job->client);
	lock = lock_take(daemon->env->roots.run, purpose, kind->waits ? LOCK_TIMEOUT_US : 0, error);
	if (lock < 0)
		return lock;
	if (job_sleeps(&job->job))
		r = host_env_new_sleeper(daemon->env, kind->sleeper, job->lease_fd, &sleeper);
	if (r < 0)
		return error_set(error, r, "cannot prepare the sleep of the host: %s",
				 strerror(-r));
	/*
	 * Discard an interruption that came after the previous job had ended.
	 * Otherwise, the interruption would undo this job.
	 */
	loop_take_signal(daemon->coordinator.loop);
	if (job->lease_has_ended)
		loop_interrupt(daemon->coordinator.loop, SIGTERM);
	job_run(&daemon->coordinator, &job->job, sleeper, outcome);
	sleeper_free(sleeper);
	return 0;
}

static void report_outcome(struct daemon *daemon, const struct daemon_job *job,
			   const struct job_outcome *outcome)
{
	char text[ERROR_TEXT_MAX + 64];

	if (outcome->report) {
		daemon->last_result = cycle_result_name(outcome->report->result);
		snprintf(daemon->last_message, sizeof(daemon->last_message), "%s",
			 outcome->message);
		progress_log_cycle(outcome->report);
	}
	if (outcome->message[0])
		fprintf(stderr, "pmcoord: %s: %s\n", job_kind(job->job.verb)->name,
			outcome->message);
	snprintf(text, sizeof(text), "EXIT=%d\nMESSAGE=%s", (int)outcome->result, outcome->message);
	send_to_lease(job, text);
	if (daemon->observer.job_removed)
		daemon->observer.job_removed(daemon->observer.data, job->id, outcome);
}

static void notify_idle(const struct daemon *daemon)
{
	sd_notifyf(0, "WATCHDOG_USEC=0\nSTATUS=Ready.%s%s%s%s",
		   daemon->last_result[0] ? " Last cycle: " : "", daemon->last_result,
		   daemon->last_message[0] ? ": " : "", daemon->last_message);
}

/*
 * Loads the default configuration again after a job that used another one. The
 * daemon prepares requests with the default configuration between jobs.
 */
static void restore_config(struct daemon *daemon, const struct daemon_job *job)
{
	if (job->config_path || job->timeout_us)
		load_config(daemon, NULL, NULL);
}

static void run_current(struct daemon *daemon)
{
	struct daemon_job *job = daemon->current;
	struct job_outcome outcome = { 0 };
	struct error error = { 0 };
	int r;

	sd_notifyf(0, "WATCHDOG_USEC=%llu\nSTATUS=Running %s, requested by %s.", WATCHDOG_US,
		   job_kind(job->job.verb)->name, job->client);
	loop_watchdog(daemon->loop, WATCHDOG_US / 3);
	progress_init(&daemon->progress, true, false);
	progress_notify(&daemon->progress, loop_event(daemon->loop));
	r = run_job(daemon, job, &outcome, &error);
	progress_done(&daemon->progress);
	if (r < 0)
		job_outcome_of_error(&error, &outcome);
	loop_watchdog(daemon->loop, 0);
	snprintf(daemon->phase, sizeof(daemon->phase), "idle");
	daemon->current = NULL;
	report_outcome(daemon, job, &outcome);
	restore_config(daemon, job);
	notify_idle(daemon);
	job_outcome_done(&outcome);
	job_free(job);
	daemon->current = daemon->waiting;
	daemon->waiting = NULL;
	daemon->refresh_at_us = loop_now(daemon->loop);
	notify_changed(daemon);
}

/* ---- idle --------------------------------------------------------------- */

/*
 * Discards all pending events, because the next inventory shows what has
 * changed. *ret_any: whether there was an event.
 */
static int take_events(struct daemon *daemon, bool *ret_any)
{
	struct hypervisor *hypervisor = daemon->env->hypervisor;
	uint32_t domid;
	int r;

	*ret_any = false;
	while ((r = hypervisor->ops->next_event(hypervisor, &domid)) > 0)
		*ret_any = true;
	return r;
}

static void notify_guest(void *data, const struct guest *guest, bool was_added)
{
	struct daemon *daemon = data;

	if (daemon->observer.guest)
		daemon->observer.guest(daemon->observer.data, guest, was_added);
}

static void handle_inventory(void *data, const struct inventory *inventory)
{
	struct daemon *daemon = data;

	/* -ENOMEM is ignored, because the next update then reports the differences. */
	guest_tracker_update(&daemon->tracker, inventory, notify_guest, daemon);
}

static int begin_recovery(struct daemon *daemon, struct error *error)
{
	struct daemon_request request = {
		.job.verb = JOB_RECOVER,
		.client = "the daemon itself",
		.lease_fd = -EBADF,
	};
	uint64_t id;

	return daemon_submit(daemon, &request, &id, error);
}

/*
 * Begins a recovery if a guest has suspended late, has ended, or will not suspend any more.
 * An event reports the first two, also after a restart of the daemon, because the guests
 * are in a journal.
 */
static void check_late(struct daemon *daemon)
{
	uint64_t now_us = loop_now(daemon->loop), until_us;
	uint64_t next_us = daemon->late_tried_us + LATE_INTERVAL_US;
	struct error error = { 0 };

	daemon->late_at_us = LOOP_FOREVER;
	if (!coordinator_late_is_due(&daemon->coordinator, &until_us)) {
		/* The journals' clock is that of coordinator.loop. */
		if (until_us != LOOP_FOREVER)
			daemon->late_at_us = now_us + until_us - loop_now(daemon->coordinator.loop);
		return;
	}
	if (daemon->late_tried_us > 0 && now_us < next_us) {
		daemon->late_at_us = next_us;
		return;
	}
	daemon->late_tried_us = now_us;
	if (begin_recovery(daemon, &error) < 0)
		fprintf(stderr, "pmcoord: cannot look after guests that suspend late: %s\n",
			error_text(&error));
}

static int refresh(struct daemon *daemon)
{
	struct error error = { 0 };
	bool any;
	int r = take_events(daemon, &any);

	if (r < 0)
		return r;
	/* Not fatal: the next event or job causes another attempt. */
	if (prearm_refresh(&daemon->coordinator, handle_inventory, daemon, &error) < 0)
		fprintf(stderr, "pmcoord: cannot read the guests, will try again: %s\n",
			error_text(&error));
	daemon->refresh_at_us = LOOP_FOREVER;
	daemon->refreshed_us = loop_now(daemon->loop);
	check_late(daemon);
	return loop_watch_hypervisor(daemon->loop, true);
}

/*
 * Schedules a refresh, at most one a second. Until the refresh runs, further
 * events do not end the loop's waits.
 */
static int schedule_refresh(struct daemon *daemon)
{
	uint64_t after_event = loop_now(daemon->loop) + REFRESH_DELAY_US;
	uint64_t after_last = daemon->refreshed_us + REFRESH_INTERVAL_US;

	daemon->refresh_at_us = after_event > after_last ? after_event : after_last;
	return loop_watch_hypervisor(daemon->loop, false);
}

static int idle(struct daemon *daemon)
{
	struct loop *loop = daemon->loop;
	uint64_t next_us = daemon->refresh_at_us < daemon->late_at_us ? daemon->refresh_at_us
								      : daemon->late_at_us;
	bool any;
	int r;

	if (daemon->refresh_at_us <= loop_now(loop))
		return refresh(daemon);
	if (daemon->late_at_us <= loop_now(loop)) {
		check_late(daemon);
		return 0;
	}
	r = loop->ops->wait(loop, next_us);
	if (r < 0 || daemon->refresh_at_us != LOOP_FOREVER)
		return r;
	r = take_events(daemon, &any);
	return r == 0 && any ? schedule_refresh(daemon) : r;
}

/* Called when no recovery is left, for which no xenstored is needed. */
static int watch_domains(struct daemon *daemon, struct error *error)
{
	struct hypervisor *hypervisor = daemon->env->hypervisor;
	struct error reason = { 0 };
	int r;

	if (daemon->is_watching)
		return 0;
	/*
	 * Without the outcome "unsupported", after which systemd would not start the daemon again
	 * (RestartPreventExitStatus=): xenstored may come back, and guests may suspend late.
	 */
	r = host_env_connect(daemon->env, &reason);
	if (r < 0)
		return error_set(error, r, "%s", error_text(&reason));
	r = hypervisor->ops->watch_domains(hypervisor);
	daemon->is_watching = r == 0;
	return r < 0 ? error_set(error, r, "cannot watch domains: %s", strerror(-r)) : 0;
}

int daemon_run(struct daemon *daemon, struct error *error)
{
	int r;

	load_config(daemon, NULL, NULL);
	r = begin_recovery(daemon, error);
	if (r == 0 && !daemon->current)
		r = watch_domains(daemon, error);
	if (r < 0)
		return r;
	sd_notify(0, "READY=1");
	while (r == 0 && daemon->stopped == 0 && !loop_stop_requested(daemon->loop)) {
		if (daemon->current) {
			/* A job needs events, and schedule_refresh may have disabled them. */
			r = loop_watch_hypervisor(daemon->loop, true);
			if (r == 0)
				run_current(daemon);
		} else {
			r = watch_domains(daemon, error);
			if (r < 0)
				return r;
			r = idle(daemon);
		}
	}
	if (r == 0)
		r = daemon->stopped;
	sd_notify(0, "STOPPING=1");
	return r < 0 ? error_set(error, r, "the daemon stops, because it cannot receive events: %s",
				 strerror(-r))
		     : 0;
}

/* ---- the object --------------------------------------------------------- */

int daemon_new(struct host_env *env, struct loop *loop, struct daemon **ret_daemon)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));

	assert(env && env->hypervisor && loop && ret_daemon);
	if (!daemon)
		return -ENOMEM;
	*daemon = (struct daemon){
		.env = env,
		.loop = loop,
		.phase = "idle",
		.last_result = "",
		.refresh_at_us = 0,
		.late_at_us = LOOP_FOREVER,
	};
	config_init(&daemon->config);
	daemon->coordinator = (struct coordinator){
		.config = &daemon->config,
		.roots = &env->roots,
		.hypervisor = env->hypervisor,
		.sleep_manager = env->sleep_manager,
		.loop = env->loop,
		.observer = observe,
		.observer_data = daemon,
	};
	*ret_daemon = daemon;
	return 0;
}

void daemon_free(struct daemon *daemon)
{
	if (!daemon)
		return;
	job_free(daemon->current);
	job_free(daemon->waiting);
	lid_free(daemon->coordinator.lid);
	guest_tracker_done(&daemon->tracker);
	config_done(&daemon->config);
	free(daemon);
}

void daemon_set_observer(struct daemon *daemon, const struct daemon_observer *observer)
{
	assert(daemon && observer);
	daemon->observer = *observer;
}

void daemon_stop(struct daemon *daemon, int r)
{
	assert(daemon && r < 0);
	daemon->stopped = r;
}

void daemon_get_status(const struct daemon *daemon, struct daemon_status *ret_status)
{
	const struct daemon_job *job = daemon->current;

	assert(ret_status);
	*ret_status = (struct daemon_status){
		.job = job ? job->id : 0,
		.verb = job ? job_kind(job->job.verb)->name : "",
		.client = job ? job->client : "",
		.phase = daemon->phase,
		.cycle = daemon->cycle,
		.last_result = daemon->last_result,
	};
}

struct coordinator *daemon_coordinator(struct daemon *daemon)
{
	return &daemon->coordinator;
}
