/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/monitor.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "pmcoord/stop-signals.h"
#include "record/followers.h"

/* Events in the directory of journals. */
#define JOURNALS_CHANGE (IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
/* Events after which the directory is no longer at its path. */
#define DIRECTORY_GOES (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

struct monitor {
	const char *journals;
	const struct monitor_observer *listener;
	sd_event *event;
	sd_event_source *watch;
	bool watches_ancestor; /* the directory does not exist; `watch` is on an ancestor */
	struct followers followers;
	struct error *error;
};

/* ---- journals ----------------------------------------------------------- */

static int cannot_read(struct monitor *monitor, int r)
{
	error_set(monitor->error, r, "cannot read the journals in %s: %s", monitor->journals,
		  strerror(-r));
	error_mark(monitor->error, -EACCES, OUTCOME_NOT_PERMITTED);
	return r;
}

static int read_journal(struct monitor *monitor, uint64_t number)
{
	int r = followers_read(&monitor->followers, number, monitor->listener->observer,
			       monitor->listener->data);

	/* The journal may have been removed meanwhile. */
	return r < 0 && r != -ENOENT ? cannot_read(monitor, r) : 0;
}

static int read_journals(struct monitor *monitor)
{
	int r = followers_read_directory(&monitor->followers, monitor->listener->observer,
					 monitor->listener->data);

	return r < 0 ? cannot_read(monitor, r) : 0;
}

static void handle_removal(struct monitor *monitor, uint64_t number)
{
	const struct monitor_observer *listener = monitor->listener;

	if (!followers_end(&monitor->followers, number, listener->observer, listener->data))
		listener->missed(listener->data, number);
}

/* ---- the directory ------------------------------------------------------ */

static int on_change(sd_event_source *source, const struct inotify_event *event, void *data);

static int add_watch(struct monitor *monitor, const char *path, uint32_t mask)
{
	monitor->watch = sd_event_source_disable_unref(monitor->watch);
	return sd_event_add_inotify(monitor->event, &monitor->watch, path, mask | IN_ONLYDIR,
				    on_change, monitor);
}

/*
 * Watches the nearest existing ancestor of the directory, to detect when the
 * next part of the path is created.
 */
static int watch_ancestor(struct monitor *monitor)
{
	_cleanup_(freep) char *path = strdup(monitor->journals);
	int r = -ENOENT;
	char *slash;

	while (path && r == -ENOENT && (slash = strrchr(path, '/'))) {
		slash[slash == path] = '\0';
		r = add_watch(monitor, path, IN_CREATE | IN_MOVED_TO);
		if (strcmp(path, "/") == 0)
			break;
	}
	monitor->watches_ancestor = true;
	return path ? r : -ENOMEM;
}

static int watch(struct monitor *monitor)
{
	int r;

	do {
		monitor->watches_ancestor = false;
		r = add_watch(monitor, monitor->journals, JOURNALS_CHANGE | DIRECTORY_GOES);
		if (r == -ENOENT)
			r = watch_ancestor(monitor);
		/*
		 * Try again if the directory was created before its ancestor
		 * was watched.
		 */
	} while (r >= 0 && monitor->watches_ancestor && access(monitor->journals, F_OK) == 0);
	if (r < 0) {
		error_set(monitor->error, r, "cannot watch %s: %s%s", monitor->journals,
			  strerror(-r), r == -EACCES ? ": use sudo" : "");
		error_mark(monitor->error, -EACCES, OUTCOME_NOT_PERMITTED);
		return r;
	}
	return monitor->watches_ancestor ? 0 : read_journals(monitor);
}

static int handle_change(struct monitor *monitor, const struct inotify_event *event)
{
	uint64_t number;

	if (monitor->watches_ancestor || event->mask & DIRECTORY_GOES)
		return watch(monitor);
	if (event->mask & IN_Q_OVERFLOW)
		return read_journals(monitor);
	if (event->len == 0 || parse_u64(event->name, UINT64_MAX, &number) < 0)
		return 0;
	if (event->mask & (IN_DELETE | IN_MOVED_FROM)) {
		handle_removal(monitor, number);
		return 0;
	}
	return read_journal(monitor, number);
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *data)
{
	struct monitor *monitor = data;
	int r = handle_change(monitor, event);

	(void)source;
	return r < 0 ? sd_event_exit(monitor->event, r) : 0;
}

/* ---- running ------------------------------------------------------------ */

int monitor_run(const char *journals, const struct monitor_observer *listener, struct error *error)
{
	struct monitor monitor = {
		.journals = journals,
		.followers.directory = journals,
		.listener = listener,
		.error = error,
	};
	int r = sd_event_new(&monitor.event);

	/* Without a handler, a stop signal ends the loop with status 0. */
	if (r >= 0)
		r = stop_signals_watch(monitor.event, SD_EVENT_PRIORITY_NORMAL, NULL, NULL);
	if (r >= 0 && listener->join)
		listener->join(listener->data, monitor.event);
	if (r >= 0)
		r = watch(&monitor);
	if (r >= 0)
		r = sd_event_loop(monitor.event);
	followers_done(&monitor.followers);
	sd_event_source_disable_unref(monitor.watch);
	sd_event_unref(monitor.event);
	return r < 0 ? error_set(error, r, "cannot watch the cycles: %s", strerror(-r)) : 0;
}
