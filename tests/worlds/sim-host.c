/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/sim-host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/error.h"
#include "model/hypervisor.h"
#include "model/loop.h"
#include "sim/simulator.h"
#include "tests/worlds/printed.h"
#include "tests/worlds/world-file.h"

/* ---- directories -------------------------------------------------------- */

static int fail(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
	return -1;
}

/* The name of the directory of a simulated host: the FNV-1a hash of the scenario's path. */
static uint64_t hash_path(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
	return hash;
}

static int make_link(struct sim_host *host, uint64_t hash)
{
	if (mkdir("/run/pmcoord-rehearsal", 0700) < 0 && errno != EEXIST)
		return fail("cannot make", "/run/pmcoord-rehearsal");
	snprintf(host->link, sizeof(host->link), "/run/pmcoord-rehearsal/%016" PRIx64, hash);
	return symlink(host->files, host->link) < 0 ? fail("cannot make", host->link) : 0;
}

int sim_host_init(struct sim_host *host)
{
	uint64_t hash;

	*host = (struct sim_host){ .trace_fd = -EBADF };
	snprintf(host->directory, sizeof(host->directory), "%s/pmcoord-worlds-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(host->directory))
		return fail("cannot make", host->directory);
	snprintf(host->scenario, sizeof(host->scenario), "%s/world.sim", host->directory);
	snprintf(host->config, sizeof(host->config), "%s/pmcoord.conf", host->directory);
	snprintf(host->hypervisor, sizeof(host->hypervisor), "sim:%s", host->scenario);
	hash = hash_path(host->scenario);
	snprintf(host->files, sizeof(host->files), "%s/pmcoord-rehearsal/%016" PRIx64,
		 host->directory, hash);
	/* For a user, simulations live where this variable says; for root, in /run. */
	setenv("XDG_RUNTIME_DIR", host->directory, 1);
	/* A daemon of this machine has nothing to do with these hosts. */
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "disabled:", 1);
	return geteuid() == 0 ? make_link(host, hash) : 0;
}

/*
 * Removes a directory with all that is in it. Most entries are files, so none is looked
 * at before unlink(2) has failed.
 */
static void remove_all(const char *directory)
{
	_cleanup_(closedirp) DIR *dir = opendir(directory);
	struct dirent *entry;
	char path[PATH_MAX];

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_type == DT_DIR)
			remove_all(path);
		else
			unlink(path);
	}
	rmdir(directory);
}

void sim_host_done(struct sim_host *host)
{
	closep(&host->trace_fd);
	if (host->link[0])
		unlink(host->link);
	remove_all(host->directory);
}

int sim_host_begin(struct sim_host *host, const struct world *world)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char parent[96];

	remove_all(host->files);
	closep(&host->trace_fd);
	host->trace_read = 0;
	host->is_written = false;
	memset(host->seen_reports, 0, sizeof(host->seen_reports));
	snprintf(parent, sizeof(parent), "%s/pmcoord-rehearsal", host->directory);
	if ((mkdir(parent, 0700) < 0 && errno != EEXIST) || mkdir(host->files, 0700) < 0)
		return fail("cannot make", host->files);
	file = fopen(host->config, "we");
	if (!file)
		return fail("cannot write", host->config);
	for (size_t i = 0; i < world->n_config; i++)
		fprintf(file, "%s\n", world->config[i]);
	return 0;
}

int sim_host_write_scenario(struct sim_host *host, const struct world *world, const char *more)
{
	_cleanup_(fclosep) FILE *file = NULL;

	if (host->is_written && strcmp(host->written_more, more) == 0)
		return 0;
	file = fopen(host->scenario, "we");
	if (!file)
		return fail("cannot write", host->scenario);
	host->is_written = true;
	snprintf(host->written_more, sizeof(host->written_more), "%s", more);
	world_print_scenario(world, more, file);
	return 0;
}

/* ---- reading ------------------------------------------------------------ */

char *sim_host_read_file(const char *path)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	struct stat st;
	char *text;

	if (!file || fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	if (text)
		text[fread(text, 1, (size_t)st.st_size, file)] = '\0';
	return text;
}

uint64_t sim_host_now(const struct sim_host *host)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[PATH_MAX];
	uint64_t now = 0;

	snprintf(path, sizeof(path), "%s/simulator", host->files);
	file = fopen(path, "re");
	return file && fscanf(file, "clock %" SCNu64, &now) == 1 ? now : 0;
}

static int read_trace(struct sim_host *host, struct history *history)
{
	char path[PATH_MAX];
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "%s/simulator.trace", host->files);
	if (host->trace_fd < 0)
		host->trace_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (host->trace_fd < 0)
		return 0; /* nothing has happened yet */
	if (fstat(host->trace_fd, &st) < 0 || st.st_size == host->trace_read)
		return 0;
	text = malloc((size_t)(st.st_size - host->trace_read) + 1);
	if (!text)
		return -1;
	n = pread(host->trace_fd, text, (size_t)(st.st_size - host->trace_read), host->trace_read);
	text[n > 0 ? n : 0] = '\0';
	r = history_add_lines(history, text);
	host->trace_read = (long)st.st_size;
	if (r < 0)
		fprintf(stderr, "%s: a line cannot be read\n", path);
	return r;
}

/* Finds the report with the greatest number. Returns 0 if there is none. */
static unsigned long newest_report(const char *directory)
{
	_cleanup_(closedirp) DIR *reports = opendir(directory);
	unsigned long newest = 0, number;
	struct dirent *entry;
	char *end;

	while (reports && (entry = readdir(reports))) {
		number = strtoul(entry->d_name, &end, 10);
		if (number > newest && strcmp(end, ".json") == 0)
			newest = number;
	}
	return newest;
}

/* Notes a report. Returns whether its cycle is one of which no report was seen before. */
static bool note_report(struct sim_host *host, unsigned long number, const char *path)
{
	_cleanup_(freep) char *text = sim_host_read_file(path);
	struct json_object *report = text ? json_tokener_parse(text) : NULL;
	const char *started = json_text(report, "started");
	char *seen = host->seen_reports[number];
	bool is_new = !seen[0] || (started[0] && strcmp(seen, started) != 0);

	if (is_new)
		snprintf(seen, sizeof(host->seen_reports[0]), "%s", started[0] ? started : "?");
	json_object_put(report);
	return is_new;
}

/*
 * Sets outcome->report if there is a report that was not seen before: the newest where reports
 * are kept, or where they wait because that cannot be written.
 */
void sim_host_observe_report(struct sim_host *host, struct outcome *outcome)
{
	static const char *const places[] = { "reports", "unsaved-reports" };
	char directory[PATH_MAX], path[PATH_MAX + 32];

	for (size_t i = 0; i < ELEMENTSOF(places); i++) {
		unsigned long newest;

		snprintf(directory, sizeof(directory), "%s/%s", host->files, places[i]);
		newest = newest_report(directory);
		snprintf(path, sizeof(path), "%s/%lu.json", directory, newest);
		if (newest == 0 || newest >= SIM_HOST_REPORTS_MAX ||
		    !note_report(host, newest, path))
			continue;
		free(outcome->report);
		outcome->report = sim_host_read_file(path);
	}
}

int sim_host_observe(struct sim_host *host, struct history *history, struct outcome *outcome)
{
	outcome->first = history->n_happenings;
	if (read_trace(host, history) < 0)
		return -1;
	outcome->end = history->n_happenings;
	outcome->end_us = sim_host_now(host);
	sim_host_observe_report(host, outcome);
	return 0;
}

/* ---- time --------------------------------------------------------------- */

int sim_host_pass(const struct sim_host *host, uint64_t us)
{
	struct hypervisor *hypervisor;
	struct sleeper *sleeper;
	struct error error = { 0 };
	struct loop *loop;
	char state[PATH_MAX];
	uint64_t until_us;
	uint32_t domid;
	int r;

	snprintf(state, sizeof(state), "%s/simulator", host->files);
	if (simulator_open(host->scenario, state, &hypervisor, &loop, &sleeper, &error) < 0) {
		fprintf(stderr, "%s\n", error_text(&error));
		return -1;
	}
	until_us = loop_now(loop) + us;
	do {
		r = loop->ops->wait(loop, until_us);
		while (r == 0 && hypervisor->ops->next_event(hypervisor, &domid) > 0)
			;
	} while (r == 0 && loop_now(loop) < until_us);
	hypervisor_close(hypervisor);
	return r;
}
