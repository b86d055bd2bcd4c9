/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* status and monitor: read the journals and the lock in /run, and change nothing. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pmcoord/clock.h"
#include "pmcoord/error.h"
#include "pmcoord/exit-code.h"
#include "pmcoord/json.h"
#include "model/cycle.h"
#include "model/plan.h"
#include "host/roots.h"
#include "record/report-store.h"
#include "record/report.h"
#include "record/status.h"
#include "engine/host-env.h"
#include "engine/job.h"
#include "view/monitor.h"
#include "view/progress.h"
#include "daemon/client.h"
#include "cli/cli.h"

static enum exit_code exit_of_status(const struct status *status)
{
	enum exit_code code;

	if (status->state == STATUS_INTERRUPTED || status->state == STATUS_STRANDED)
		return EXIT_STRANDED;
	if (status->state != STATUS_IDLE || !status->last)
		return EXIT_AS_PLANNED;
	code = cli_exit_code(job_result_of_report(status->last));
	/* A guest that the last cycle could not resume runs by now, or is gone. */
	return code == EXIT_STRANDED ? EXIT_DEGRADED : code;
}

/*
 * The journals do not say whether a guest has suspended late, was destroyed or resumed by its
 * owner. Without access to the hypervisor, the status is what the journals say.
 */
static void look_at_guests(struct cli *cli, struct status *status)
{
	struct error error = { 0 };

	if (status->n_cycles > 0 && !status->locked && host_env_open(cli->env, &error) == 0)
		(void)status_observe(status, cli->env->hypervisor);
}

enum exit_code command_status(struct cli *cli)
{
	struct error error = { 0 };
	struct status status;
	enum exit_code code;
	int r = status_read(&cli->env->roots, &status, &error);

	if (r < 0)
		return cli_fail(&error);
	look_at_guests(cli, &status);
	status.has_daemon = client_daemon_is_running(cli->env->name);
	if (!cli->options.quiet || cli->options.json)
		r = status_print(&status, clock_us(CLOCK_REALTIME), cli->options.json, stdout);
	code = exit_of_status(&status);
	status_done(&status);
	if (r < 0)
		error_set(&error, r, "cannot print the status: %s", strerror(-r));
	return r < 0 ? cli_fail(&error) : code;
}

/* ---- monitor ------------------------------------------------------------ */

struct watcher {
	struct cli *cli;
	const struct roots *roots;
	struct client_watch *guests; /* subscription to guests added or removed; NULL: none */
	struct progress progress;
};

static void print_missed(void *data, uint64_t number)
{
	const struct watcher *watcher = data;
	struct report *report;

	if (!watcher->progress.print ||
	    report_store_load(watcher->roots, number, &report, NULL) < 0)
		return;
	printf("Cycle %" PRIu64 " ended: %s; 'pmcoord report %" PRIu64 "' shows it.\n", number,
	       cycle_result_name(report->result), number);
	report_free(report);
}

static void print_record(void *data, const struct cycle *cycle, const struct record *record)
{
	struct watcher *watcher = data;

	progress_observe(&watcher->progress, cycle, record);
}

/* Prints the object on one line unless `r` is an error, and always releases the object. */
static void print_line(struct json_object *object, int r)
{
	if (r == 0)
		r = json_print_line(object, stdout);
	if (r < 0)
		fprintf(stderr, "pmcoord: cannot print an event: %s\n", strerror(-r));
	json_object_put(object);
}

/* Returns the guest of a record, or NULL if the record belongs to the whole cycle. */
static const struct cycle_guest *guest_of(const struct cycle *cycle, const struct record *record)
{
	if (record->type == RECORD_GUEST)
		return &cycle->guests[cycle->n_guests - 1];
	if (record_type_has_guest(record->type))
		return &cycle->guests[record->guest];
	return NULL;
}

static void print_record_as_json(void *data, const struct cycle *cycle, const struct record *record)
{
	const struct cycle_guest *guest = guest_of(cycle, record);
	struct json_object *object = json_object_new_object();
	int r = object ? 0 : -ENOMEM;

	(void)data;
	json_add_integer(object, "cycle", (int64_t)cycle->head.number, &r);
	json_add_integer(object, "at_us", (int64_t)(record->at_us - cycle->head.base_us), &r);
	json_add_string(object, "event", record_type_name(record->type), &r);
	json_add_string(object, "guest", guest ? guest->name : NULL, &r);
	if (guest)
		json_add_integer(object, "domid", guest->domid, &r);
	else
		json_add_null(object, "domid", &r);
	json_add_string(object, "text",
			record->type == RECORD_GUEST   ? mechanism_name(guest->mechanism)
			: record->type == RECORD_CYCLE ? cycle->head.trigger
						       : record->text,
			&r);
	print_line(object, r);
}

static void print_missed_as_json(void *data, uint64_t number)
{
	struct json_object *object = json_object_new_object();
	int r = object ? 0 : -ENOMEM;

	(void)data;
	json_add_integer(object, "cycle", (int64_t)number, &r);
	json_add_null(object, "at_us", &r);
	json_add_string(object, "event", "missed", &r);
	json_add_null(object, "guest", &r);
	json_add_null(object, "domid", &r);
	json_add_string(object, "text", "", &r);
	print_line(object, r);
}

static void print_guest(void *data, const char *guest, uint32_t domid, bool was_added)
{
	const struct watcher *watcher = data;

	if (watcher->progress.print)
		printf("%s (%" PRIu32 ") %s.\n", guest, domid,
		       was_added ? "was added" : "was removed");
}

static void print_guest_as_json(void *data, const char *guest, uint32_t domid, bool was_added)
{
	struct json_object *object = json_object_new_object();
	int r = object ? 0 : -ENOMEM;

	(void)data;
	json_add_null(object, "cycle", &r);
	json_add_null(object, "at_us", &r);
	json_add_string(object, "event", was_added ? "guest-added" : "guest-removed", &r);
	json_add_string(object, "guest", guest, &r);
	json_add_integer(object, "domid", domid, &r);
	json_add_string(object, "text", "", &r);
	print_line(object, r);
}

/*
 * Subscribes to the daemon's signals about guests added or removed. Without a
 * daemon, the monitor prints only cycles.
 */
static void join_daemon(void *data, struct sd_event *event)
{
	struct watcher *watcher = data;
	const struct options *options = &watcher->cli->options;
	const struct host_env *env = watcher->cli->env;

	/*
	 * If has_daemon is not set, this host is simulated, and the running
	 * daemon may manage another host. Subscribe only to a daemon that
	 * manages this host.
	 */
	if (env->has_daemon || client_daemon_is_running(env->name))
		client_watch_guests(event, options->json ? print_guest_as_json : print_guest,
				    watcher, &watcher->guests);
}

enum exit_code command_monitor(struct cli *cli)
{
	struct watcher watcher = {
		.cli = cli,
		.roots = &cli->env->roots,
		.progress = {
			.print = !cli->options.quiet,
			.verbose = cli->options.verbose,
			.watches = true,
		},
	};
	struct monitor_observer observer = {
		.observer = cli->options.json ? print_record_as_json : print_record,
		.missed = cli->options.json ? print_missed_as_json : print_missed,
		.join = join_daemon,
		.data = &watcher,
	};
	struct error error = { 0 };
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	r = monitor_run(cli->env->roots.journals, &observer, &error);
	client_watch_free(watcher.guests);
	return r < 0 ? cli_fail(&error) : EXIT_AS_PLANNED;
}
