/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/freezer.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#include "pmcoord/cleanup.h"

#define CGROUP_ROOT "fs/cgroup"

/*
 * The maximum depth to which cgroups are searched; systemd nests slices, scopes and
 * delegated groups less deeply.
 */
#define DEPTH_MAX 16

/* Units that the guest needs for a request, quiescing or resuming. They may be in any slice. */
static const char *const needed_units[] = {
	"init.scope",
	"systemd-udevd.service",
	"systemd-journald.service",
	"systemd-logind.service",
	"systemd-networkd.service",
	"dbus.service",
	"dbus-broker.service",
	"NetworkManager.service",
	"wpa_supplicant.service",
	"iwd.service",
	"connman.service",
	"xendriverdomain.service",
	"qubes-db.service",
	"qubes-qrexec-agent.service",
};

static DIR *open_cgroup(const struct roots *roots, const char *cgroup)
{
	char path[FILE_PATH_MAX];

	if (file_path(path, "%s/" CGROUP_ROOT "/%s", roots->sys, cgroup) < 0)
		return NULL;
	return opendir(path);
}

/* Whether `inner` is the cgroup `outer`, or beneath it. */
static bool is_within(const char *inner, const char *outer)
{
	size_t length = strlen(outer);

	return strncmp(inner, outer, length) == 0 &&
	       (inner[length] == '\0' || inner[length] == '/');
}

/* Writes the agent's own cgroup, without the leading slash, to `ret`; "" if it is unknown. */
static void get_own_cgroup(const struct roots *roots, char *ret, size_t size)
{
	_cleanup_(freep) char *text = NULL;
	size_t length;
	char *line;

	ret[0] = '\0';
	if (file_read_all(&text, &length, "%s/self/cgroup", roots->proc) < 0)
		return;
	line = strstr(text, "0::/");
	if (line)
		snprintf(ret, size, "%.*s", (int)strcspn(line + 4, "\n"), line + 4);
}

/* Returns the name of a needed unit that `cgroup` is or contains; NULL if there is none. */
static const char *find_needed_unit(const struct roots *roots, const char *cgroup, int depth)
{
	_cleanup_(closedirp) DIR *directory = NULL;
	const char *name = strrchr(cgroup, '/');
	const char *found = NULL;
	struct dirent *entry;

	name = name ? name + 1 : cgroup;
	for (size_t i = 0; i < ELEMENTSOF(needed_units); i++)
		if (strcmp(name, needed_units[i]) == 0)
			return needed_units[i];
	directory = depth > 0 ? open_cgroup(roots, cgroup) : NULL;
	while (directory && !found && (entry = readdir(directory))) {
		char child[FILE_PATH_MAX];

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (file_path(child, "%s/%s", cgroup, entry->d_name) == 0)
			found = find_needed_unit(roots, child, depth - 1);
	}
	return found;
}

int freezer_check(const struct roots *roots, const char *cgroup, struct error *error)
{
	char own[FILE_PATH_MAX];
	const char *needed;

	assert(roots && cgroup && error);
	if (cgroup[0] == '\0' || cgroup[0] == '/' || strstr(cgroup, ".."))
		return error_set(
			error, -EPERM,
			"'%s' is not the path of a cgroup relative to /sys/fs/cgroup, such as user.slice",
			cgroup);
	get_own_cgroup(roots, own, sizeof(own));
	if (own[0] != '\0' && is_within(own, cgroup))
		return error_set(error, -EPERM,
				 "%s must not be frozen: it contains pmcoord-agent itself", cgroup);
	/* Refuse system.slice even if the agent was started by hand and so may be outside of it. */
	if (strcmp(cgroup, "system.slice") == 0)
		return error_set(
			error, -EPERM,
			"system.slice must not be frozen: it contains services that the guest needs to resume; list individual services instead");
	/*
	 * user.slice is not searched, because a user's unit may have the same name as a needed
	 * unit of the system.
	 */
	if (is_within(cgroup, "user.slice"))
		return 0;
	needed = find_needed_unit(roots, cgroup, DEPTH_MAX);
	if (needed)
		return error_set(
			error, -EPERM,
			"%s must not be frozen: it contains %s, which the guest needs to resume",
			cgroup, needed);
	return 0;
}

enum freezer_state freezer_get(const struct roots *roots, const char *cgroup)
{
	char text[8];

	if (file_read(text, sizeof(text), "%s/" CGROUP_ROOT "/%s/cgroup.freeze", roots->sys,
		      cgroup) < 0)
		return FREEZER_ABSENT;
	return strcmp(text, "1") == 0 ? FREEZER_FROZEN : FREEZER_THAWED;
}

int freezer_set(const struct roots *roots, const char *cgroup, bool frozen)
{
	return file_write_at(frozen ? "1" : "0", "%s/" CGROUP_ROOT "/%s/cgroup.freeze", roots->sys,
			     cgroup);
}

/* Whether a cgroup is frozen. A removed cgroup has no processes, so it counts as frozen. */
static bool is_frozen(const struct roots *roots, const char *cgroup)
{
	char events[256];
	int n = file_read(events, sizeof(events), "%s/" CGROUP_ROOT "/%s/cgroup.events", roots->sys,
			  cgroup);

	if (n < 0)
		return n == -ENOENT || n == -ENODEV;
	return strstr(events, "frozen 1") != NULL;
}

/* Appends "'name' (pid)" for a process, or "'name' (pid, waits in the kernel)" in state D. */
static void append_process(const struct roots *roots, const char *pid, char *ret, size_t size)
{
	char status[512], name[32] = "?";
	size_t used = strlen(ret);
	const char *field;
	bool blocked;

	file_read(status, sizeof(status), "%s/%s/status", roots->proc, pid);
	field = strstr(status, "Name:\t");
	if (field)
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(field + 6, "\n"), field + 6);
	field = strstr(status, "State:\t");
	blocked = field && field[7] == 'D';
	snprintf(ret + used, size - used, "%s'%s' (%s%s)", used ? ", " : "", name, pid,
		 blocked ? ", waits in the kernel" : "");
}

/*
 * If `cgroup` is not frozen, appends its processes and those of the unfrozen cgroups beneath
 * it.
 */
static void name_unfrozen(const struct roots *roots, const char *cgroup, int depth, char *ret,
			  size_t size)
{
	_cleanup_(closedirp) DIR *directory = open_cgroup(roots, cgroup);
	_cleanup_(freep) char *processes = NULL;
	struct dirent *entry;
	char *rest = NULL;
	size_t length;

	if (depth == 0 || !directory || is_frozen(roots, cgroup))
		return;
	if (file_read_all(&processes, &length, "%s/" CGROUP_ROOT "/%s/cgroup.procs", roots->sys,
			  cgroup) == 0)
		for (char *pid = strtok_r(processes, "\n", &rest); pid && strlen(ret) < size / 2;
		     pid = strtok_r(NULL, "\n", &rest))
			append_process(roots, pid, ret, size);
	while ((entry = readdir(directory))) {
		char child[FILE_PATH_MAX];

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    file_path(child, "%s/%s", cgroup, entry->d_name) == 0)
			name_unfrozen(roots, child, depth - 1, ret, size);
	}
}

static bool is_blocked(const struct roots *roots, const char *pid)
{
	char status[512];
	const char *state;

	if (file_read(status, sizeof(status), "%s/%s/status", roots->proc, pid) <= 0)
		return false;
	state = strstr(status, "State:\t");
	return state && state[7] == 'D';
}

void freezer_name_blocked(const struct roots *roots, char *ret, size_t size)
{
	_cleanup_(closedirp) DIR *directory = opendir(roots->proc);
	struct dirent *entry;

	assert(size > 0);
	ret[0] = '\0';
	while (directory && (entry = readdir(directory)) && strlen(ret) < size / 2)
		if (isdigit((unsigned char)entry->d_name[0]) && is_blocked(roots, entry->d_name))
			append_process(roots, entry->d_name, ret, size);
}

struct freezer_wait {
	const struct roots *roots;
	const char *const *cgroups;
	size_t n_cgroups;
	freezer_done_fn done;
	void *userdata;
	sd_event *event;
	sd_event_source *limit;
	size_t n_watches;
	sd_event_source *watches[];
};

static const char *find_unfrozen(const struct freezer_wait *wait)
{
	for (size_t i = 0; i < wait->n_cgroups; i++)
		if (!is_frozen(wait->roots, wait->cgroups[i]))
			return wait->cgroups[i];
	return NULL;
}

/*
 * Removes the event sources instead of disabling them, because sd-event (252) spins on a
 * disabled inotify source while events for that source are left.
 */
static void stop_watching(struct freezer_wait *wait)
{
	while (wait->n_watches > 0)
		sd_event_source_disable_unref(wait->watches[--wait->n_watches]);
	wait->limit = sd_event_source_disable_unref(wait->limit);
}

/* Ends the wait. The caller must not use `wait` afterwards, because `done` may free it. */
static void finish(struct freezer_wait *wait, int r, const struct error *error)
{
	stop_watching(wait);
	wait->done(wait->userdata, r, error);
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct freezer_wait *wait = userdata;
	struct error none = { 0 };

	(void)source;
	(void)event;
	if (!find_unfrozen(wait))
		finish(wait, 0, &none);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct freezer_wait *wait = userdata;
	const char *cgroup = find_unfrozen(wait);
	struct error error = { 0 };
	char names[512] = "";

	(void)source;
	(void)usec;
	if (!cgroup) {
		finish(wait, 0, &error);
		return 0;
	}
	name_unfrozen(wait->roots, cgroup, DEPTH_MAX, names, sizeof(names));
	error_set(&error, -ETIMEDOUT, "%s does not freeze: %s", cgroup,
		  names[0] ? names : "found no unfrozen process");
	finish(wait, -ETIMEDOUT, &error);
	return 0;
}

/*
 * Watches cgroup.events of each cgroup. The kernel reports a change to inotify at once, but
 * at most one change in 10 ms (CGROUP_FILE_NOTIFY_MIN_INTV in kernel/cgroup/cgroup.c).
 */
static int add_watches(struct freezer_wait *wait)
{
	for (size_t i = 0; i < wait->n_cgroups; i++) {
		char path[FILE_PATH_MAX];
		int r = file_path(path, "%s/" CGROUP_ROOT "/%s/cgroup.events", wait->roots->sys,
				  wait->cgroups[i]);

		if (r < 0)
			return r;
		r = sd_event_add_inotify(wait->event, &wait->watches[wait->n_watches], path,
					 IN_MODIFY, on_change, wait);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		wait->n_watches++;
	}
	return 0;
}

int freezer_wait_start(sd_event *event, const struct roots *roots, const char *const *cgroups,
		       size_t n_cgroups, uint64_t timeout_us, freezer_done_fn done, void *userdata,
		       struct freezer_wait **ret)
{
	struct freezer_wait *wait = calloc(1, sizeof(*wait) + n_cgroups * sizeof(wait->watches[0]));
	int r;

	assert(event && roots && cgroups && done && ret);
	if (!wait)
		return -ENOMEM;
	wait->roots = roots;
	wait->cgroups = cgroups;
	wait->n_cgroups = n_cgroups;
	wait->done = done;
	wait->userdata = userdata;
	wait->event = event;
	r = add_watches(wait);
	/* The states are read after the watches were added, so that no change is missed. */
	if (r == 0 && !find_unfrozen(wait)) {
		freezer_wait_free(wait);
		return 1;
	}
	if (r == 0)
		r = sd_event_add_time_relative(event, &wait->limit, CLOCK_MONOTONIC, timeout_us, 0,
					       on_limit, wait);
	if (r < 0) {
		freezer_wait_free(wait);
		return r;
	}
	*ret = wait;
	return 0;
}

void freezer_wait_free(struct freezer_wait *wait)
{
	if (!wait)
		return;
	stop_watching(wait);
	free(wait);
}
