/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reads struct host_systemd from unit files, enablement links and configuration
 * files, so that no bus is needed.
 */

#include <assert.h>
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "base/string-list.h"
#include "host/host.h"
#include "host/sleep-conf.h"
#include "host/systemd-config.h"
#include "host/systemd.h"

#define DAEMON_UNIT "pmcoord.service"

/* Only this many bytes of a hook or unit are searched. A longer file is hardly a script. */
#define SCRIPT_MAX 65536

/* Directories of units, in order of precedence. */
static const char *const unit_directories[] = {
	"etc/systemd/system",	  "run/systemd/system", "usr/local/lib/systemd/system",
	"usr/lib/systemd/system", "lib/systemd/system",
};

/* ---- units --------------------------------------------------------------- */

/* Sets `ret` to the path of the unit file of highest precedence. Returns false if none exists. */
static bool find_unit(const char *root, const char *unit, char *ret)
{
	struct stat st;

	for (size_t i = 0; i < ELEMENTSOF(unit_directories); i++) {
		snprintf(ret, PATH_MAX, "%s/%s/%s", root, unit_directories[i], unit);
		if (lstat(ret, &st) == 0)
			return true;
	}
	return false;
}

/* Whether a unit is masked, i.e. a link to /dev/null or an empty file. */
static bool is_masked(const char *root, const char *unit)
{
	char path[PATH_MAX], target[32];
	struct stat st;
	ssize_t n;

	if (!find_unit(root, unit, path))
		return false;
	n = readlink(path, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = '\0';
		return strcmp(target, "/dev/null") == 0;
	}
	return stat(path, &st) == 0 && st.st_size == 0;
}

static bool is_linked(const char *root, const char *target, const char *how, const char *unit)
{
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < ELEMENTSOF(unit_directories); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s.%s/%s", root, unit_directories[i], target,
			 how, unit);
		if (lstat(path, &st) == 0)
			return true;
	}
	return false;
}

static enum unit_enablement read_unit(const char *root, const char *unit, const char *target)
{
	char path[PATH_MAX];

	if (is_masked(root, unit))
		return UNIT_MASKED;
	if (!find_unit(root, unit, path))
		return UNIT_ABSENT;
	if (is_linked(root, target, "requires", unit))
		return UNIT_REQUIRED;
	return is_linked(root, target, "wants", unit) ? UNIT_WANTED : UNIT_DISABLED;
}

static const char *find_masked(const char *root)
{
	static const char *const needed[] = { "sleep.target", "suspend.target",
					      "systemd-suspend.service" };

	for (size_t i = 0; i < ELEMENTSOF(needed); i++)
		if (is_masked(root, needed[i]))
			return needed[i];
	return NULL;
}

/* ---- other programs that act on guests ----------------------------------- */

/* A script or unit that contains one of these words presumably handles guests. */
static const char *const guest_tools[] = { "qubes", "qvm-", "virsh", "xendomains",
					   "libvirt-guests" };

static bool line_handles_guests(const char *line)
{
	line += strspn(line, " \t");
	if (line[0] == '#')
		return false;
	for (size_t i = 0; i < ELEMENTSOF(guest_tools); i++)
		if (strstr(line, guest_tools[i]))
			return true;
	/* Finds xl as a command, but not as a part of "xlsfonts" or "pixl x". */
	for (const char *xl = strstr(line, "xl "); xl; xl = strstr(xl + 1, "xl "))
		if (xl == line || strchr(" \t/;&|(=", xl[-1]))
			return true;
	return false;
}

static bool handles_guests(const char *path)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	_cleanup_(freep) char *line = NULL;
	size_t size = 0, total = 0;
	ssize_t n;

	while (file && total < SCRIPT_MAX && (n = getline(&line, &size, file)) > 0) {
		total += (size_t)n;
		if (line_handles_guests(line))
			return true;
	}
	return false;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int add_hooks(const char *root, struct string_list *conflicts)
{
	struct string_list hooks = { 0 };
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/usr/lib/systemd/system-sleep", root);
	r = string_list_add_directory(&hooks, path, is_visible);
	for (size_t i = 0; i < hooks.n && r == 0; i++) {
		snprintf(path, sizeof(path), "%s/usr/lib/systemd/system-sleep/%s", root,
			 hooks.texts[i]);
		if (access(path, X_OK) == 0 && handles_guests(path))
			r = string_list_add(conflicts, path + strlen(root),
					    strlen(path) - strlen(root));
	}
	string_list_done(&hooks);
	return r;
}

/*
 * Adds to `conflicts` those units that a sleep starts and that handle guests. `link` is
 * the name of a directory with links to units, e.g. "sleep.target.wants".
 */
static int add_pulled_in(const char *root, const char *link, struct string_list *conflicts)
{
	struct string_list units = { 0 };
	char path[PATH_MAX];
	int r = 0;

	/* Skips lib/systemd/system, which is obsolete or a link to usr/lib/systemd/system. */
	for (size_t i = 0; i + 1 < ELEMENTSOF(unit_directories) && r == 0; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", root, unit_directories[i], link);
		r = string_list_add_directory(&units, path, is_visible);
	}
	for (size_t i = 0; i < units.n && r == 0; i++)
		if (strncmp(units.texts[i], "pmcoord", 7) != 0 &&
		    find_unit(root, units.texts[i], path) && handles_guests(path))
			r = string_list_add(conflicts, units.texts[i], strlen(units.texts[i]));
	string_list_done(&units);
	return r;
}

static int read_conflicts(const char *root, struct host_systemd *systemd)
{
	static const char *const links[] = {
		"sleep.target.wants",
		"sleep.target.requires",
		"suspend.target.wants",
		"suspend.target.requires",
		"systemd-suspend.service.wants",
		"systemd-suspend.service.requires",
	};
	int r = add_hooks(root, &systemd->conflicts);

	for (size_t i = 0; i < ELEMENTSOF(links) && r == 0; i++)
		r = add_pulled_in(root, links[i], &systemd->conflicts);
	return r;
}

/* ---- all ----------------------------------------------------------------- */

static void take_login_key(void *data, const char *path, const char *key, const char *value)
{
	struct host_systemd *systemd = data;

	(void)path;
	if (strcmp(key, "HandleLidSwitch") == 0)
		snprintf(systemd->lid, sizeof(systemd->lid), "%s", value);
	else if (strcmp(key, "HandleLidSwitchExternalPower") == 0)
		snprintf(systemd->lid_on_power, sizeof(systemd->lid_on_power), "%s", value);
}

static int read_configs(const char *root, struct host_systemd *systemd)
{
	int r = sleep_conf_read(root, &systemd->sleep_conf);

	return r < 0 ? r
		     : systemd_config_read(root, "logind.conf", "Login", take_login_key, systemd);
}

int host_read_systemd(const char *root, struct host_systemd *ret)
{
	struct host_systemd systemd = { 0 };
	char path[PATH_MAX];
	int r;

	assert(root && ret);
	/* This directory exists if systemd runs, see sd_booted(3). */
	snprintf(path, sizeof(path), "%s/run/systemd/system", root);
	systemd.runs = access(path, F_OK) == 0;
	systemd.sleep_unit = read_unit(root, SLEEP_UNIT, "sleep.target");
	systemd.daemon = read_unit(root, DAEMON_UNIT, "multi-user.target");
	systemd.masked = find_masked(root);
	r = read_configs(root, &systemd);
	if (r == 0)
		r = read_conflicts(root, &systemd);
	if (r < 0) {
		host_systemd_done(&systemd);
		return r;
	}
	*ret = systemd;
	return 0;
}

void host_systemd_done(struct host_systemd *systemd)
{
	if (systemd)
		string_list_done(&systemd->conflicts);
}
