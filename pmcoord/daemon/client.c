/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "pmcoord/stop-signals.h"
#include "record/followers.h"
#include "record/report-json.h"
#include "daemon/service.h"

/* Time limit of the call in client_daemon_is_running; sd-bus's default is 25 s. */
#define CALL_TIMEOUT_US 1000000

struct client {
	sd_bus *bus;
	sd_event *event;
	uint64_t job; /* number of the submitted job */
	const struct client_options *options;
	struct followers followers; /* reads new records of the journals */
	struct job_outcome outcome;
	bool was_interrupted;
};

void client_close(struct client *client)
{
	if (!client)
		return;
	followers_done(&client->followers);
	sd_bus_flush_close_unref(client->bus);
	sd_event_unref(client->event);
	free(client);
}

/* Returns 0 if a daemon answers and runs on this hypervisor, else -ENOTCONN. */
static int check_daemon(struct client *client, const char *hypervisor)
{
	_cleanup_(freep) char *text = NULL;
	int r = sd_bus_get_property_string(client->bus, SERVICE_NAME, SERVICE_PATH,
					   SERVICE_INTERFACE, "Hypervisor", NULL, &text);

	return r >= 0 && strcmp(text, hypervisor) == 0 ? 0 : -ENOTCONN;
}

int client_open(const char *hypervisor, struct client **ret_client, struct error *error)
{
	struct client *client = calloc(1, sizeof(*client));
	int r = client ? 0 : -ENOMEM;

	assert(hypervisor && ret_client);
	if (r == 0)
		r = sd_event_new(&client->event);
	if (r < 0) {
		client_close(client);
		return error_set(error, r, "out of memory");
	}
	r = sd_bus_open_system(&client->bus) < 0 ? -ENOTCONN : check_daemon(client, hypervisor);
	if (r < 0) {
		client_close(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

bool client_daemon_is_running(const char *hypervisor)
{
	struct client client = { 0 };
	bool found;

	assert(hypervisor);
	if (sd_bus_open_system(&client.bus) < 0)
		return false;
	sd_bus_set_method_call_timeout(client.bus, CALL_TIMEOUT_US);
	found = check_daemon(&client, hypervisor) == 0;
	sd_bus_flush_close_unref(client.bus);
	return found;
}

/* ---- while the job runs ------------------------------------------------- */

static int on_step(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct client *client = data;
	uint64_t job, cycle;

	(void)error;
	/* A journal that cannot be read is ignored, because the report follows at the end. */
	if (sd_bus_message_read(message, "tt", &job, &cycle) >= 0 && job == client->job)
		followers_read(&client->followers, cycle, client->options->observer,
			       client->options->observer_data);
	return 0;
}

static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct client *client = data;
	struct job_outcome *outcome = &client->outcome;
	const char *text, *report;
	uint64_t job, resumed;
	int result, kept_suspended;

	(void)error;
	if (sd_bus_message_read(message, "tistbs", &job, &result, &text, &resumed, &kept_suspended,
				&report) < 0 ||
	    job != client->job)
		return 0;
	followers_read_known(&client->followers, client->options->observer,
			     client->options->observer_data);
	outcome->result = job_result_of_number(result);
	snprintf(outcome->message, sizeof(outcome->message), "%s", text);
	outcome->n_resumed = (size_t)resumed;
	outcome->kept_suspended = kept_suspended;
	/* A report that cannot be parsed is ignored, because the message says how the job ended. */
	if (!report[0] || report_parse(report, &outcome->report) < 0)
		outcome->report = NULL;
	return sd_event_exit(client->event, 0);
}

/*
 * Called when the owner of the bus name changes. The daemon owns the name until
 * its process ends, so the daemon has died.
 */
static int on_owner_changed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct client *client = data;

	(void)message;
	(void)error;
	return sd_event_exit(client->event, -ECONNRESET);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct client *client = data;

	(void)source;
	(void)info;
	client->was_interrupted = true;
	/* The reply is ignored, because JobRemoved reports how the job ended. */
	return sd_bus_call_method_async(client->bus, NULL, SERVICE_NAME, SERVICE_PATH,
					SERVICE_INTERFACE, "Cancel", NULL, NULL, "t", client->job);
}

static int subscribe(struct client *client)
{
	int r = stop_signals_watch(client->event, SD_EVENT_PRIORITY_NORMAL, on_signal, client);

	/*
	 * Subscribe to Step only for an observer, because each signal costs CPU
	 * time that suspending guests need.
	 */
	if (r >= 0 && client->options->observer)
		r = sd_bus_match_signal(client->bus, NULL, SERVICE_NAME, SERVICE_PATH,
					SERVICE_INTERFACE, "Step", on_step, client);
	if (r >= 0)
		r = sd_bus_match_signal(client->bus, NULL, SERVICE_NAME, SERVICE_PATH,
					SERVICE_INTERFACE, "JobRemoved", on_job_removed, client);
	if (r >= 0)
		r = sd_bus_add_match(
			client->bus, NULL,
			"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" SERVICE_NAME
			"'",
			on_owner_changed, client);
	return r;
}

/* ---- requests ----------------------------------------------------------- */

static int append_option(sd_bus_message *message, const char *key, const char *type,
			 const void *value)
{
	int r = sd_bus_message_open_container(message, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append_basic(message, 's', key);
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'v', type);
	if (r >= 0)
		r = sd_bus_message_append_basic(message, type[0], value);
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/* Returns the absolute path, which the caller frees: the daemon has another directory. */
static char *absolute_path(const char *path)
{
	_cleanup_(freep) char *directory = NULL;
	char *absolute;

	if (path[0] == '/')
		return strdup(path);
	directory = getcwd(NULL, 0);
	if (!directory || asprintf(&absolute, "%s/%s", directory, path) < 0)
		return NULL;
	return absolute;
}

static int append_options(sd_bus_message *message, const struct job *job,
			  const struct client_options *options)
{
	_cleanup_(freep) char *config = NULL;
	int on = 1, r = sd_bus_message_open_container(message, 'a', "{sv}");

	/* The daemon reads the file, and knows whether the job needs it. */
	if (r >= 0 && options->config_path) {
		config = absolute_path(options->config_path);
		r = config ? append_option(message, SERVICE_OPTION_CONFIG, "s", config) : -ENOMEM;
	}
	if (r >= 0 && options->timeout_us)
		r = append_option(message, SERVICE_OPTION_TIMEOUT, "t", &options->timeout_us);
	if (r >= 0 && job->force)
		r = append_option(message, SERVICE_OPTION_FORCE, "b", &on);
	if (r >= 0 && job->guests_only)
		r = append_option(message, SERVICE_OPTION_GUESTS_ONLY, "b", &on);
	if (r >= 0 && job->with_sleep)
		r = append_option(message, SERVICE_OPTION_SLEEP, "b", &on);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_names(sd_bus_message *message, const struct job *job)
{
	int r = sd_bus_message_open_container(message, 'a', "s");

	for (size_t i = 0; i < job->n_names && r >= 0; i++)
		r = sd_bus_message_append_basic(message, 's', job->names[i]);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/*
 * Sets `error` from the daemon's error reply, or from `r` if there is no reply.
 * Returns a negative errno.
 */
static int set_refusal(int r, const sd_bus_error *answer, struct error *error)
{
	static const struct {
		const char *name;
		enum error_outcome outcome;
	} names[] = {
		{ SERVICE_ERROR_BUSY, OUTCOME_BUSY },
		{ SERVICE_ERROR_INVALID, OUTCOME_USAGE },
		{ SD_BUS_ERROR_ACCESS_DENIED, OUTCOME_NOT_PERMITTED },
	};
	const char *text = answer->message ? answer->message : strerror(-r);

	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (sd_bus_error_has_name(answer, names[i].name))
			return error_refuse(error, names[i].outcome, "%s", text);
	error_set(error, r, "%s", text);
	error_mark(error, -EPERM, OUTCOME_NOT_PERMITTED);
	error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
	return r;
}

static int call(struct client *client, const struct job *job, const struct client_options *options,
		sd_bus_message **ret_reply, struct error *error)
{
	sd_bus_error answer = SD_BUS_ERROR_NULL;
	const struct job_kind *kind = job_kind(job->verb);
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(client->bus, &message, SERVICE_NAME, SERVICE_PATH,
					       SERVICE_INTERFACE, kind->method);

	if (r >= 0 && kind->names_guests)
		r = append_names(message, job);
	if (r >= 0)
		r = append_options(message, job, options);
	if (r < 0)
		error_set(error, r, "cannot compose the request for the daemon: %s", strerror(-r));
	if (r >= 0)
		r = sd_bus_call(client->bus, message, 0, &answer, ret_reply);
	if (r < 0)
		set_refusal(r, &answer, error);
	sd_bus_error_free(&answer);
	sd_bus_message_unref(message);
	return r < 0 ? error->number : 0;
}

static int wait_for_end(struct client *client, struct error *error)
{
	int r = sd_bus_attach_event(client->bus, client->event, 0);

	if (r >= 0)
		r = sd_event_loop(client->event);
	if (r == -ECONNRESET)
		return error_set(
			error, r,
			"the pmcoord daemon died during the job: systemd restarts the daemon, which then resumes the guests; see 'pmcoord status'");
	return r < 0 ? error_set(error, r, "cannot wait for the daemon: %s", strerror(-r)) : 0;
}

int client_do(struct client *client, const struct job *job, const struct client_options *options,
	      struct job_outcome *ret_outcome, struct error *error)
{
	sd_bus_message *reply = NULL;
	int r;

	assert(client && job && options && ret_outcome);
	assert(!options->observer || options->journals);
	client->options = options;
	client->followers.directory = options->journals;
	/*
	 * Open the existing journals before the job starts, and skip their
	 * records. A job that resumes guests may remove a journal before this
	 * process handles the first signal.
	 */
	if (options->observer)
		followers_read_directory(&client->followers, NULL, NULL);
	r = subscribe(client);
	client->outcome = (struct job_outcome){ 0 };
	if (r < 0)
		return error_set(error, r, "cannot subscribe to the daemon's signals: %s",
				 strerror(-r));
	r = call(client, job, options, &reply, error);
	if (r == 0 && sd_bus_message_read(reply, "t", &client->job) < 0)
		r = error_refuse(
			error, OUTCOME_UNSUPPORTED,
			"the daemon and this command are different versions of pmcoord: run 'systemctl restart pmcoord'");
	sd_bus_message_unref(reply);
	if (r == 0)
		r = wait_for_end(client, error);
	if (r == 0)
		*ret_outcome = client->outcome;
	return r;
}

bool client_was_interrupted(const struct client *client)
{
	assert(client);
	return client->was_interrupted;
}

int client_sleep(struct client *client, const struct client_options *options, int *ret_lease,
		 struct error *error)
{
	struct job job = { .verb = JOB_SLEEP };
	sd_bus_message *reply = NULL;
	int fd, r = call(client, &job, options, &reply, error);

	assert(ret_lease);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "th", &client->job, &fd);
	if (r >= 0) {
		/* The caller gets a duplicate, because the reply owns and closes `fd`. */
		*ret_lease = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		r = *ret_lease < 0 ? -errno : 0;
	}
	sd_bus_message_unref(reply);
	return r < 0 ? error_set(error, r, "cannot read the daemon's reply: %s", strerror(-r)) : 0;
}

/* ---- guests added or removed -------------------------------------------- */

struct client_watch {
	sd_bus *bus;
	client_guest_fn report;
	void *data;
};

static int on_guest(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;
	const char *guest;
	uint32_t domid;

	(void)error;
	if (sd_bus_message_read(message, "su", &guest, &domid) >= 0)
		watch->report(watch->data, guest, domid,
			      strcmp(sd_bus_message_get_member(message),
				     SERVICE_SIGNAL_GUEST_ADDED) == 0);
	return 0;
}

int client_watch_guests(struct sd_event *event, client_guest_fn report, void *data,
			struct client_watch **ret_watch)
{
	static const char *const signals[] = { SERVICE_SIGNAL_GUEST_ADDED,
					       SERVICE_SIGNAL_GUEST_REMOVED };
	struct client_watch *watch = calloc(1, sizeof(*watch));
	int r;

	assert(event && report && ret_watch);
	if (!watch)
		return -ENOMEM;
	watch->report = report;
	watch->data = data;
	r = sd_bus_open_system(&watch->bus);
	for (size_t i = 0; i < ELEMENTSOF(signals) && r >= 0; i++)
		r = sd_bus_match_signal(watch->bus, NULL, SERVICE_NAME, SERVICE_PATH,
					SERVICE_INTERFACE, signals[i], on_guest, watch);
	if (r >= 0)
		r = sd_bus_attach_event(watch->bus, event, SD_EVENT_PRIORITY_NORMAL);
	if (r < 0) {
		client_watch_free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

void client_watch_free(struct client_watch *watch)
{
	if (!watch)
		return;
	sd_bus_flush_close_unref(watch->bus);
	free(watch);
}
