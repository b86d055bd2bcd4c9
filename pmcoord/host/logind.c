/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/logind.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/clock.h"
#include "base/directory.h"
#include "host/systemd.h"

#define SLEEP_UNIT_PATH "/org/freedesktop/systemd1/unit/pmcoord_2dsleep_2eservice"

#define LOGIND "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_MANAGER "org.freedesktop.login1.Manager"

/*
 * Calls a D-Bus method. Returns the string in the reply, owned by the caller, or NULL
 * if the call fails.
 */
static char *call_for_string(sd_bus *bus, const char *service, const char *path,
			     const char *interface, const char *method, const char *argument)
{
	sd_bus_message *reply = NULL;
	const char *text = NULL;
	char *copy = NULL;
	int r = argument ? sd_bus_call_method(bus, service, path, interface, method, NULL, &reply,
					      "s", argument)
			 : sd_bus_call_method(bus, service, path, interface, method, NULL, &reply,
					      "");

	if (r >= 0 && sd_bus_message_read(reply, "s", &text) >= 0)
		copy = strdup(text);
	sd_bus_message_unref(reply);
	return copy;
}

bool logind_runs_our_unit(void)
{
	sd_bus *bus = NULL;
	_cleanup_(freep) char *enabled = NULL;
	_cleanup_(freep) char *can = NULL;
	bool runs;

	if (sd_bus_open_system(&bus) < 0)
		return false;
	enabled = call_for_string(bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnitFileState",
				  SLEEP_UNIT);
	can = call_for_string(bus, LOGIND, LOGIND_PATH, LOGIND_MANAGER, "CanSuspend", NULL);
	runs = can && enabled && strncmp(enabled, "enabled", 7) == 0;
	sd_bus_flush_close_unref(bus);
	return runs;
}

struct wait {
	sd_event *event;
	sd_bus *bus;
	sd_event_source *watches[LOGIND_END_DIRECTORIES];
	const struct logind_end *end;
	bool sleep_has_ended; /* logind sent PrepareForSleep(false) */
	bool timed_out;
	int result; /* 1: undecided */
};

static void finish(struct wait *wait, int result)
{
	wait->result = result;
	sd_event_exit(wait->event, 0);
}

static bool check_end(struct wait *wait)
{
	if (!wait->end->is_over(wait->end->data))
		return false;
	finish(wait, 0);
	return true;
}

static int on_file(sd_event_source *source, const struct inotify_event *event, void *data)
{
	(void)source;
	(void)event;
	check_end(data);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct wait *wait = data;

	(void)source;
	(void)usec;
	wait->timed_out = true;
	finish(wait, -ETIMEDOUT);
	return 0;
}

/*
 * Ends the wait if the sleep unit is inactive after the sleep, because the unit will
 * not write a report any more.
 */
static int on_unit_state(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct wait *wait = data;
	const char *state = NULL;

	if (sd_bus_message_is_method_error(message, NULL) ||
	    sd_bus_message_enter_container(message, 'v', "s") < 0 ||
	    sd_bus_message_read(message, "s", &state) < 0)
		return 0;
	(void)error;
	if (wait->sleep_has_ended && !check_end(wait) &&
	    (strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0))
		finish(wait, -ECANCELED);
	return 0;
}

static int request_unit_state(struct wait *wait)
{
	return sd_bus_call_method_async(wait->bus, NULL, SYSTEMD, SLEEP_UNIT_PATH,
					"org.freedesktop.DBus.Properties", "Get", on_unit_state,
					wait, "ss", "org.freedesktop.systemd1.Unit", "ActiveState");
}

static int on_unit_changed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	(void)message;
	(void)error;
	request_unit_state(data);
	return 0;
}

static int on_prepare_for_sleep(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct wait *wait = data;
	int is_start;

	(void)error;
	if (sd_bus_message_read(message, "b", &is_start) < 0 || is_start)
		return 0;
	wait->sleep_has_ended = true;
	request_unit_state(wait);
	return 0;
}

static int on_suspend_reply(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct wait *wait = data;
	const sd_bus_error *answer = sd_bus_message_get_error(message);

	(void)error;
	if (answer)
		finish(wait, -sd_bus_error_get_errno(answer));
	return 0;
}

/* Returns 0, or a negative errno if none of them can be watched. */
static int watch_directories(struct wait *wait)
{
	int result = -ENOENT;

	for (size_t i = 0; i < ELEMENTSOF(wait->end->directories); i++) {
		const char *directory = wait->end->directories[i];
		int r = directory_make(directory);

		if (r == 0 && i == 0 && chmod(directory, 0755) < 0)
			r = -errno;
		if (r == 0)
			r = sd_event_add_inotify(wait->event, &wait->watches[i], directory,
						 IN_MOVED_TO | IN_CLOSE_WRITE, on_file, wait);
		if (result < 0)
			result = r;
	}
	return result < 0 ? result : 0;
}

static int subscribe(struct wait *wait, uint64_t timeout_us)
{
	uint64_t deadline_us;
	int r;

	/* CLOCK_MONOTONIC and the unit's timeouts stop during the sleep. */
	deadline_us = clock_now_us() + timeout_us;
	r = sd_bus_attach_event(wait->bus, wait->event, 0);
	if (r >= 0)
		r = watch_directories(wait);
	if (r >= 0)
		r = sd_event_add_time(wait->event, NULL, CLOCK_MONOTONIC, deadline_us, 0,
				      on_timeout, wait);
	if (r >= 0)
		r = sd_bus_match_signal(wait->bus, NULL, LOGIND, LOGIND_PATH, LOGIND_MANAGER,
					"PrepareForSleep", on_prepare_for_sleep, wait);
	if (r >= 0)
		r = sd_bus_call_method(wait->bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
				       "Subscribe", NULL, NULL, "");
	if (r >= 0)
		r = sd_bus_match_signal(wait->bus, NULL, SYSTEMD, SLEEP_UNIT_PATH,
					"org.freedesktop.DBus.Properties", "PropertiesChanged",
					on_unit_changed, wait);
	return r;
}

static int explain(const struct wait *wait, int r, uint64_t timeout_us, struct error *error)
{
	switch (r) {
	case 0:
		return 0;
	case -EINPROGRESS:
	case -EALREADY:
		return error_refuse(
			error, OUTCOME_BUSY,
			"logind reports that a sleep is already in progress: wait until it has ended");
	case -EOPNOTSUPP:
		return error_refuse(
			error, OUTCOME_UNSUPPORTED,
			"logind reports that this host cannot suspend: run 'pmcoord check'");
	case -ETIMEDOUT:
		if (wait->timed_out)
			return error_set(
				error, r,
				"logind was asked to suspend the host, but no cycle ended within %.0f s: see journalctl -u " SLEEP_UNIT,
				(double)timeout_us / 1e6);
		break;
	case -ECANCELED:
		return error_set(
			error, r,
			"the host's sleep is over, but the sleep unit stopped without completing a cycle: see journalctl -u " SLEEP_UNIT);
	}
	r = error_set(error, r, "logind cannot suspend the host: %s", strerror(-r));
	error_mark(error, -EPERM, OUTCOME_NOT_PERMITTED);
	error_mark(error, -EACCES, OUTCOME_NOT_PERMITTED);
	return r;
}

int logind_suspend(const struct logind_end *end, uint64_t timeout_us, struct error *error)
{
	struct wait wait = { .end = end, .result = 1 };
	int r;

	assert(end->is_over);
	r = sd_event_new(&wait.event);
	if (r >= 0)
		r = sd_bus_open_system(&wait.bus);
	if (r >= 0)
		r = subscribe(&wait, timeout_us);
	if (r >= 0)
		r = sd_bus_call_method_async(wait.bus, NULL, LOGIND, LOGIND_PATH, LOGIND_MANAGER,
					     "Suspend", on_suspend_reply, &wait, "b", 0);
	if (r >= 0)
		r = sd_event_loop(wait.event);
	if (r >= 0)
		r = wait.result;
	sd_bus_flush_close_unref(wait.bus);
	/* An event loop of systemd 252 never frees the inotify sources that it owns itself. */
	for (size_t i = 0; i < ELEMENTSOF(wait.watches); i++)
		sd_event_source_disable_unref(wait.watches[i]);
	sd_event_unref(wait.event);
	return explain(&wait, r, timeout_us, error);
}
