/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/service.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/cycle.h"
#include "model/inventory.h"
#include "model/plan.h"
#include "host/deferred.h"
#include "record/report-store.h"
#include "record/report-json.h"
#include "record/report.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/suspend.h"
#include "view/show.h"

struct service {
	struct daemon *daemon;
	sd_bus *bus;
	const char *hypervisor;
	sd_bus_message **steps; /* Step signals that are not sent yet */
	size_t n_steps;
	bool has_changed; /* a property has changed since the last PropertiesChanged */
	struct deferred *deferred; /* calls send_signals */
};

/* ---- errors and clients ------------------------------------------------- */

static int fail(sd_bus_error *bus_error, const struct error *error)
{
	const char *name = SERVICE_ERROR_FAILED;

	if (error->outcome == OUTCOME_BUSY)
		name = SERVICE_ERROR_BUSY;
	else if (error->outcome == OUTCOME_USAGE || error->outcome == OUTCOME_NOT_FOUND)
		name = SERVICE_ERROR_INVALID;
	return sd_bus_error_set(bus_error, name, error_text(error));
}

/*
 * Writes "process 12 (pmcoord)" to `ret`, or "a client" if the bus does not
 * report the process.
 */
static void name_client(sd_bus_message *message, char *ret, size_t size)
{
	sd_bus_creds *creds = NULL;
	const char *comm = NULL;
	pid_t pid = 0;

	snprintf(ret, size, "a client");
	if (sd_bus_query_sender_creds(message,
				      SD_BUS_CREDS_PID | SD_BUS_CREDS_COMM | SD_BUS_CREDS_AUGMENT,
				      &creds) < 0)
		return;
	sd_bus_creds_get_comm(creds, &comm);
	if (sd_bus_creds_get_pid(creds, &pid) >= 0)
		snprintf(ret, size, "process %d (%.32s)", (int)pid, comm ? comm : "unknown");
	sd_bus_creds_unref(creds);
}

/* ---- jobs --------------------------------------------------------------- */

static int read_option(sd_bus_message *message, const char *key, struct daemon_request *request,
		       struct error *error)
{
	int flag = 0, r;

	if (strcmp(key, SERVICE_OPTION_FORCE) == 0) {
		r = sd_bus_message_read(message, "v", "b", &flag);
		request->job.force = flag;
	} else if (strcmp(key, SERVICE_OPTION_GUESTS_ONLY) == 0) {
		r = sd_bus_message_read(message, "v", "b", &flag);
		request->job.guests_only = flag;
	} else if (strcmp(key, SERVICE_OPTION_SLEEP) == 0) {
		r = sd_bus_message_read(message, "v", "b", &flag);
		request->job.with_sleep = flag;
	} else if (strcmp(key, SERVICE_OPTION_TIMEOUT) == 0) {
		r = sd_bus_message_read(message, "v", "t", &request->timeout_us);
	} else if (strcmp(key, SERVICE_OPTION_CONFIG) == 0) {
		r = sd_bus_message_read(message, "v", "s", &request->config_path);
	} else {
		return error_refuse(error, OUTCOME_USAGE, "unknown option '%.64s'", key);
	}
	return r < 0 ? error_refuse(error, OUTCOME_USAGE,
				    "option '%s' has the wrong D-Bus type, see pmcoord(8)", key)
		     : 0;
}

static int read_options(sd_bus_message *message, struct daemon_request *request,
			struct error *error)
{
	const char *key;
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = sd_bus_message_read(message, "s", &key);
		if (r >= 0)
			r = read_option(message, key, request, error);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	if (r >= 0 && request->config_path && request->config_path[0] != '/')
		r = error_refuse(error, OUTCOME_USAGE,
				 "the configuration's path '%.200s' is not absolute",
				 request->config_path);
	if (r >= 0)
		return 0;
	error_set(error, r, "cannot read the options of the request: %s", strerror(-r));
	error_mark(error, -EINVAL, OUTCOME_USAGE);
	error_mark(error, -EBADMSG, OUTCOME_USAGE);
	return r;
}

static int submit_job(struct service *service, sd_bus_message *message, enum job_verb verb,
		      int lease_fd, uint64_t *ret_id, struct error *error)
{
	struct daemon_request request = {
		.job.verb = verb,
		.lease_fd = lease_fd,
	};
	bool by_name = job_kind(verb)->names_guests;
	_cleanup_(freep) char **names = NULL;
	char client[64];
	int r = 0;

	if (by_name)
		r = sd_bus_message_read_strv(message, &names);
	if (r < 0)
		error_refuse(
			error, OUTCOME_USAGE,
			"cannot read the guests' names: the request must begin with an array of strings");
	if (r >= 0)
		r = read_options(message, &request, error);
	request.job.names = names;
	while (names && names[request.job.n_names])
		request.job.n_names++;
	if (r >= 0 && by_name && request.job.n_names == 0)
		r = error_refuse(error, OUTCOME_USAGE, "the request names no guest");
	if (r >= 0) {
		name_client(message, client, sizeof(client));
		request.client = client;
		r = daemon_submit(service->daemon, &request, ret_id, error);
	} else if (lease_fd >= 0) {
		close(lease_fd);
	}
	for (size_t i = 0; i < request.job.n_names; i++)
		free(names[i]);
	return r;
}

/* Submits the job of the called D-Bus method. */
static int method_job(sd_bus_message *message, void *data, sd_bus_error *bus_error)
{
	struct error error = { 0 };
	enum job_verb verb;
	uint64_t id;
	int r = job_verb_of_method(sd_bus_message_get_member(message), &verb);

	if (r == 0)
		r = submit_job(data, message, verb, -EBADF, &id, &error);
	return r < 0 ? fail(bus_error, &error) : sd_bus_reply_method_return(message, "t", id);
}

/* Submits a JOB_SLEEP and replies with the sleep unit's end of the lease (see lease.h). */
static int method_sleep(sd_bus_message *message, void *data, sd_bus_error *bus_error)
{
	struct error error = { 0 };
	uint64_t id;
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	r = submit_job(data, message, JOB_SLEEP, ends[0], &id, &error);
	r = r < 0 ? fail(bus_error, &error)
		  : sd_bus_reply_method_return(message, "th", id, ends[1]);
	/* The reply has its own duplicate of the descriptor. */
	close(ends[1]);
	return r;
}

static int method_cancel(sd_bus_message *message, void *data, sd_bus_error *bus_error)
{
	struct service *service = data;
	uint64_t id;
	int r = sd_bus_message_read(message, "t", &id);

	if (r < 0)
		return r;
	if (daemon_cancel(service->daemon, id) < 0)
		return sd_bus_error_setf(bus_error, SERVICE_ERROR_INVALID,
					 "job %" PRIu64 " is not running", id);
	return sd_bus_reply_method_return(message, "");
}

/* ---- queries ------------------------------------------------------------ */

typedef int (*print_fn)(struct coordinator *coordinator, FILE *out, struct error *error);

static int reply_with_text(struct service *service, sd_bus_message *message, print_fn print,
			   sd_bus_error *bus_error)
{
	_cleanup_(freep) char *text = NULL;
	struct error error = { 0 };
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r;

	if (!out)
		return -ENOMEM;
	r = print(daemon_coordinator(service->daemon), out, &error);
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0) {
		error_set(&error, r, "cannot compose the reply: %s", strerror(-r));
		return fail(bus_error, &error);
	}
	return sd_bus_reply_method_return(message, "s", text);
}

typedef int (*show_fn)(const struct coordinator *coordinator, const struct plan *plan, FILE *out);

static int print_planned(struct coordinator *coordinator, show_fn show, FILE *out,
			 struct error *error)
{
	struct plan plan = { 0 };
	int r = coordinator_plan(coordinator, NULL, &plan, error);

	if (r == 0)
		r = show(coordinator, &plan, out);
	plan_done(&plan);
	return r;
}

static int show_guests(const struct coordinator *coordinator, const struct plan *plan, FILE *out)
{
	return show_list(plan, coordinator->config, true, out);
}

static int show_steps(const struct coordinator *coordinator, const struct plan *plan, FILE *out)
{
	(void)coordinator;
	return show_plan(plan, true, out);
}

static int print_list(struct coordinator *coordinator, FILE *out, struct error *error)
{
	return print_planned(coordinator, show_guests, out, error);
}

static int print_plan(struct coordinator *coordinator, FILE *out, struct error *error)
{
	return print_planned(coordinator, show_steps, out, error);
}

static int method_list(sd_bus_message *message, void *data, sd_bus_error *error)
{
	return reply_with_text(data, message, print_list, error);
}

static int method_plan(sd_bus_message *message, void *data, sd_bus_error *error)
{
	return reply_with_text(data, message, print_plan, error);
}

static int method_report(sd_bus_message *message, void *data, sd_bus_error *bus_error)
{
	struct service *service = data;
	struct report *report = NULL;
	struct error error = { 0 };
	_cleanup_(freep) char *text = NULL;
	uint64_t number;
	int r = sd_bus_message_read(message, "t", &number);

	if (r < 0)
		return r;
	r = report_store_load(daemon_coordinator(service->daemon)->roots, number, &report, &error);
	error_mark(&error, -ENOENT, OUTCOME_NOT_FOUND);
	if (r < 0)
		return fail(bus_error, &error);
	r = report_format(report, &text);
	report_free(report);
	return r < 0 ? r : sd_bus_reply_method_return(message, "s", text);
}

/* ---- properties and signals --------------------------------------------- */

static int get_status(sd_bus *bus, const char *path, const char *interface, const char *property,
		      sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct service *service = data;
	struct daemon_status status;

	(void)bus;
	(void)path;
	(void)interface;
	(void)error;
	daemon_get_status(service->daemon, &status);
	if (strcmp(property, "State") == 0)
		return sd_bus_message_append(reply, "s", status.phase);
	if (strcmp(property, "Job") == 0)
		return sd_bus_message_append(reply, "t", status.job);
	if (strcmp(property, "Verb") == 0)
		return sd_bus_message_append(reply, "s", status.verb);
	if (strcmp(property, "Client") == 0)
		return sd_bus_message_append(reply, "s", status.client);
	if (strcmp(property, "Cycle") == 0)
		return sd_bus_message_append(reply, "t", status.cycle);
	return sd_bus_message_append(reply, "s", status.last_result);
}

static int get_constant(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct service *service = data;

	(void)bus;
	(void)path;
	(void)interface;
	(void)error;
	return sd_bus_message_append(reply, "s",
				     strcmp(property, "Version") == 0 ? PMCOORD_VERSION
								      : service->hypervisor);
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("SuspendAll", SD_BUS_ARGS("a{sv}", options),
				SD_BUS_RESULT("t", job), method_job, 0),
	SD_BUS_METHOD_WITH_ARGS("Suspend", SD_BUS_ARGS("as", guests, "a{sv}", options),
				SD_BUS_RESULT("t", job), method_job, 0),
	SD_BUS_METHOD_WITH_ARGS("ResumeAll", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("t", job),
				method_job, 0),
	SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_ARGS("as", guests, "a{sv}", options),
				SD_BUS_RESULT("t", job), method_job, 0),
	SD_BUS_METHOD_WITH_ARGS("Sleep", SD_BUS_ARGS("a{sv}", options),
				SD_BUS_RESULT("t", job, "h", lease), method_sleep, 0),
	SD_BUS_METHOD_WITH_ARGS("Cycle", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("t", job),
				method_job, 0),
	SD_BUS_METHOD_WITH_ARGS("Bench", SD_BUS_ARGS("as", guests, "a{sv}", options),
				SD_BUS_RESULT("t", job), method_job, 0),
	SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("t", job), SD_BUS_NO_RESULT, method_cancel,
				0),
	SD_BUS_METHOD_WITH_ARGS("List", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json), method_list, 0),
	SD_BUS_METHOD_WITH_ARGS("Plan", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json), method_plan, 0),
	SD_BUS_METHOD_WITH_ARGS("Report", SD_BUS_ARGS("t", cycle), SD_BUS_RESULT("s", json),
				method_report, 0),
	SD_BUS_PROPERTY("Version", "s", get_constant, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Hypervisor", "s", get_constant, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("State", "s", get_status, 0, CHANGES),
	SD_BUS_PROPERTY("Job", "t", get_status, 0, CHANGES),
	SD_BUS_PROPERTY("Verb", "s", get_status, 0, CHANGES),
	SD_BUS_PROPERTY("Client", "s", get_status, 0, CHANGES),
	SD_BUS_PROPERTY("Cycle", "t", get_status, 0, CHANGES),
	SD_BUS_PROPERTY("LastResult", "s", get_status, 0, CHANGES),
	SD_BUS_SIGNAL_WITH_ARGS(
		"Step",
		SD_BUS_ARGS("t", job, "t", cycle, "t", time_us, "s", guest, "s", step, "s", text),
		0),
	SD_BUS_SIGNAL_WITH_ARGS("JobRemoved",
				SD_BUS_ARGS("t", job, "i", exit_code, "s", message, "t", resumed,
					    "b", held, "s", report),
				0),
	SD_BUS_SIGNAL_WITH_ARGS(SERVICE_SIGNAL_GUEST_ADDED, SD_BUS_ARGS("s", guest, "u", domid), 0),
	SD_BUS_SIGNAL_WITH_ARGS(SERVICE_SIGNAL_GUEST_REMOVED, SD_BUS_ARGS("s", guest, "u", domid),
				0),
	SD_BUS_VTABLE_END,
};

static void send_signals(void *data)
{
	struct service *service = data;

	if (service->has_changed)
		sd_bus_emit_properties_changed(service->bus, SERVICE_PATH, SERVICE_INTERFACE,
					       "State", "Job", "Verb", "Client", "Cycle",
					       "LastResult", NULL);
	service->has_changed = false;
	for (size_t i = 0; i < service->n_steps; i++) {
		/* A failure is ignored, because the step is also in the journal and the report. */
		sd_bus_send(service->bus, service->steps[i], NULL);
		sd_bus_message_unref(service->steps[i]);
	}
	free(service->steps);
	service->steps = NULL;
	service->n_steps = 0;
}

static int step_message(struct service *service, const struct cycle *cycle,
			const struct record *record, sd_bus_message **ret)
{
	sd_bus_message *message = NULL;
	struct daemon_status status;
	int r = sd_bus_message_new_signal(service->bus, &message, SERVICE_PATH, SERVICE_INTERFACE,
					  "Step");

	daemon_get_status(service->daemon, &status);
	if (r >= 0)
		r = sd_bus_message_append(
			message, "tttsss", status.job, cycle->head.number,
			record->at_us - cycle->head.base_us,
			record_type_has_guest(record->type) ? cycle->guests[record->guest].name
							    : "",
			record_type_name(record->type), record->text ? record->text : "");
	if (r < 0) {
		sd_bus_message_unref(message);
		return r;
	}
	*ret = message;
	return 0;
}

static void handle_step(void *data, const struct cycle *cycle, const struct record *record)
{
	struct service *service = data;
	sd_bus_message *message;

	if (step_message(service, cycle, record, &message) < 0)
		return;
	if (array_grow(&service->steps, service->n_steps, sizeof(*service->steps)) < 0) {
		sd_bus_message_unref(message);
		return;
	}
	service->steps[service->n_steps++] = message;
	deferred_schedule(service->deferred);
}

static void handle_job_removed(void *data, uint64_t id, const struct job_outcome *outcome)
{
	struct service *service = data;
	_cleanup_(freep) char *report = NULL;

	/* If the report cannot be formatted, the client gets only the message. */
	if (outcome->report && report_format(outcome->report, &report) < 0)
		report = NULL;
	send_signals(service);
	sd_bus_emit_signal(service->bus, SERVICE_PATH, SERVICE_INTERFACE, "JobRemoved", "tistbs",
			   id, (int)outcome->result, outcome->message, (uint64_t)outcome->n_resumed,
			   (int)outcome->kept_suspended, report ? report : "");
}

static void handle_guest(void *data, const struct guest *guest, bool was_added)
{
	struct service *service = data;

	sd_bus_emit_signal(service->bus, SERVICE_PATH, SERVICE_INTERFACE,
			   was_added ? SERVICE_SIGNAL_GUEST_ADDED : SERVICE_SIGNAL_GUEST_REMOVED,
			   "su", guest->name, guest->domid);
}

static void handle_changed(void *data)
{
	struct service *service = data;

	service->has_changed = true;
	deferred_schedule(service->deferred);
}

/* ---- the bus ------------------------------------------------------------ */

/*
 * Called when the connection to the bus is lost. Stops the daemon, because no
 * client can reach it any more. The service manager then starts another daemon.
 */
static int on_disconnected(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct service *service = data;

	(void)message;
	(void)error;
	daemon_stop(service->daemon, -ECONNRESET);
	return 0;
}

static int connect_bus(struct service *service, struct sd_event *event)
{
	int r = sd_bus_open_system(&service->bus);

	if (r >= 0)
		r = sd_bus_match_signal(service->bus, NULL, "org.freedesktop.DBus.Local", NULL,
					"org.freedesktop.DBus.Local", "Disconnected",
					on_disconnected, service);
	if (r >= 0)
		r = sd_bus_add_object_vtable(service->bus, NULL, SERVICE_PATH, SERVICE_INTERFACE,
					     vtable, service);
	if (r >= 0)
		r = sd_bus_request_name(service->bus, SERVICE_NAME, 0);
	if (r >= 0)
		r = sd_bus_attach_event(service->bus, event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = deferred_new(event, send_signals, service, &service->deferred);
	return r < 0 ? r : 0;
}

int service_open(struct daemon *daemon, struct sd_event *event, const char *hypervisor,
		 struct service **ret_service, struct error *error)
{
	struct service *service = calloc(1, sizeof(*service));
	int r = service ? 0 : -ENOMEM;

	assert(daemon && event && hypervisor && ret_service);
	if (r == 0) {
		*service = (struct service){
			.daemon = daemon,
			.hypervisor = hypervisor,
		};
		r = connect_bus(service, event);
	}
	if (r < 0) {
		service_close(service);
		if (r == -EEXIST)
			error_set(error, r,
				  "another pmcoord daemon is running: stop that daemon first");
		else
			error_set(error, r, "cannot serve " SERVICE_NAME " on the system bus: %s",
				  strerror(-r));
		error_mark(error, -EPERM, OUTCOME_NOT_PERMITTED);
		error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
		return r;
	}
	daemon_set_observer(daemon, &(struct daemon_observer){
					    .step = handle_step,
					    .job_removed = handle_job_removed,
					    .guest = handle_guest,
					    .changed = handle_changed,
					    .data = service,
				    });
	*ret_service = service;
	return 0;
}

void service_close(struct service *service)
{
	if (!service)
		return;
	send_signals(service);
	deferred_free(service->deferred);
	sd_bus_flush_close_unref(service->bus);
	free(service);
}
