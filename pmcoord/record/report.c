/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "base/directory.h"
#include "pmcoord/json.h"
#include "base/numbered-files.h"
#include "base/moment.h"
#include "pmcoord/parse.h"

/* Ten years in µs: no cycle is longer. */
#define TIME_MAX_US (10ll * 366 * 86400 * 1000000)

/* ---- making ------------------------------------------------------------- */

static void add_time(struct json_object *object, const char *key, int64_t time_us, int *status)
{
	if (time_us == CYCLE_NEVER)
		json_add_null(object, key, status);
	else
		json_add_integer(object, key, time_us, status);
}

static void add_phase(struct json_object *phases, const struct cycle_phase *phase, int *status)
{
	struct json_object *object = json_add_object(phases, NULL, status);

	json_add_string(object, "name", phase->name, status);
	add_time(object, "start_us", phase->start_us, status);
	add_time(object, "duration_us", phase->duration_us, status);
}

static void add_guest(struct json_object *guests, const struct cycle_guest *guest, int *status)
{
	struct json_object *object = json_add_object(guests, NULL, status);
	char uuid[GUEST_UUID_TEXT_SIZE];

	json_add_string(object, "name", guest->name, status);
	json_add_integer(object, "domid", guest->domid, status);
	json_add_string(object, "uuid", guest_uuid_format(guest->uuid, uuid), status);
	json_add_string(object, "mechanism", mechanism_name(guest->mechanism), status);
	json_add_string(object, "outcome", cycle_outcome_name(guest->outcome), status);
	json_add_string(object, "detail", guest->detail, status);
	json_add_boolean(object, "degraded", guest->degraded, status);
	json_add_boolean(object, "stranded", guest->stranded, status);
	json_add_boolean(object, "gone", guest->gone, status);
	add_time(object, "requested_us", guest->requested_us, status);
	add_time(object, "quiesced_us", guest->quiesced_us, status);
	add_time(object, "down_us", guest->down_us, status);
	add_time(object, "resume_us", guest->resume_us, status);
	add_time(object, "running_us", guest->running_us, status);
	add_time(object, "ready_us", guest->ready_us, status);
}

static void add_cycle(struct json_object *report, const struct cycle *cycle, int *status)
{
	const struct cycle_guest *slowest = cycle_slowest(cycle);
	struct json_object *phases, *warnings, *guests;
	char started[MOMENT_TEXT_SIZE];

	moment_format(cycle->head.started_us, started);
	json_add_integer(report, "cycle", (int64_t)cycle->head.number, status);
	json_add_string(report, "started", started, status);
	json_add_string(report, "result", cycle_result_name(cycle_result(cycle)), status);
	json_add_string(report, "trigger", cycle->head.trigger, status);
	json_add_string(report, "detail", cycle->detail, status);
	json_add_boolean(report, "held", cycle->kept_suspended && cycle_count_holds(cycle) > 0,
			 status);
	add_time(report, "slept_us", cycle->slept_us, status);
	add_time(report, "written_bytes", cycle->written_bytes, status);
	phases = json_add_array(report, "phases", status);
	for (size_t i = 0; i < cycle->n_phases; i++)
		add_phase(phases, &cycle->phases[i], status);
	warnings = json_add_array(report, "warnings", status);
	for (size_t i = 0; i < cycle->n_warnings; i++)
		json_add_string(warnings, NULL, cycle->warnings[i], status);
	guests = json_add_array(report, "guests", status);
	for (size_t i = 0; i < cycle->n_guests; i++)
		add_guest(guests, &cycle->guests[i], status);
	json_add_string(report, "slowest", slowest ? slowest->name : NULL, status);
	json_add_string(report, "stranded", cycle_stranded(cycle), status);
}

int report_make(const struct cycle *cycle, struct json_object **ret_report)
{
	struct json_object *report = json_object_new_object();
	int r = report ? 0 : -ENOMEM;

	if (r == 0)
		add_cycle(report, cycle, &r);
	if (r < 0) {
		json_object_put(report);
		return r;
	}
	*ret_report = report;
	return 0;
}

/* ---- files -------------------------------------------------------------- */

static char *report_path(const char *directory, uint64_t number)
{
	char *path;

	return asprintf(&path, "%s/%" PRIu64 ".json", directory, number) < 0 ? NULL : path;
}

int report_list(const char *directory, uint64_t **ret_numbers)
{
	return numbered_files_list(directory, ".json", INT64_MAX, ret_numbers);
}

uint64_t report_last_number(const char *directory)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = report_list(directory, &numbers);

	return n > 0 ? numbers[n - 1] : 0;
}

/* Reports are for everyone to read, whatever our umask. */
static int make_directory(const char *directory)
{
	int r;

	if (access(directory, F_OK) == 0)
		return 0;
	r = directory_make(directory);
	if (r == 0 && chmod(directory, 0755) < 0)
		r = -errno;
	return r;
}

static int write_file(const char *path, struct json_object *report)
{
	_cleanup_(closep) int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	_cleanup_(fclosep) FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int r;

	if (!file)
		return -errno;
	fd = -EBADF; /* the stream's now */
	r = json_print(report, file);
	if (r < 0)
		return r;
	/* On disk before the rename: a power cut leaves the old or the new. */
	if (fflush(file) != 0 || fchmod(fileno(file), 0644) < 0 || fdatasync(fileno(file)) < 0)
		return -errno;
	return 0;
}

/* What cannot be removed now is removed by one of the next cycles. */
static void prune(const char *directory, uint64_t newest, uint64_t keep)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = report_list(directory, &numbers);

	if (!numbers)
		return;
	for (int i = 0; i < n && (uint64_t)(n - i) > keep; i++) {
		_cleanup_(freep) char *path = report_path(directory, numbers[i]);

		if (path && numbers[i] != newest)
			unlink(path);
	}
}

int report_save(const char *directory, struct json_object *report, uint64_t keep,
		struct error *error)
{
	uint64_t number = (uint64_t)json_read_integer(report, "cycle", 0);
	_cleanup_(freep) char *path = report_path(directory, number);
	_cleanup_(freep) char *temporary = NULL;
	int r;

	/* One name for all: what a crash has left is written over. */
	if (!path || asprintf(&temporary, "%s/.new", directory) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	r = make_directory(directory);
	if (r == 0)
		r = write_file(temporary, report);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return error_set(error, r, "cannot write the report %s: %s", path, strerror(-r));
	}
	prune(directory, number, keep);
	return 0;
}

/* Whether it has what readers of a report count on. */
static bool is_report(struct json_object *report)
{
	struct json_object *guests;

	return json_read_integer(report, "cycle", 0) > 0 &&
	       json_object_object_get_ex(report, "guests", &guests) &&
	       json_object_is_type(guests, json_type_array);
}

static int load_file(const char *path, struct json_object **ret_report, struct error *error)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct json_object *report;

	if (fd < 0)
		return error_set(error, -errno, "cannot read the report %s: %s", path,
				 strerror(errno));
	report = json_object_from_fd(fd);
	if (!is_report(report)) {
		json_object_put(report);
		return error_set(
			error, -EBADMSG,
			"%s is not a report of this version of pmcoord, or is damaged; it can be removed",
			path);
	}
	*ret_report = report;
	return 0;
}

int report_load(const char *directory, uint64_t number, struct json_object **ret_report,
		struct error *error)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	_cleanup_(freep) char *path = NULL;
	int n = report_list(directory, &numbers);

	if (n < 0)
		return error_set(error, n, "cannot read the reports in %s: %s", directory,
				 strerror(-n));
	if (n == 0)
		return error_set(
			error, -ENOENT,
			"there is no report in %s yet: 'pmcoord suspend-all' or 'pmcoord cycle' makes one",
			directory);
	path = report_path(directory, number ? number : numbers[n - 1]);
	if (!path)
		return error_set(error, -ENOMEM, "out of memory");
	if (number && access(path, F_OK) < 0 && errno == ENOENT)
		return error_set(error, -ENOENT,
				 "there is no report of cycle %" PRIu64
				 ": the oldest kept is of cycle %" PRIu64
				 ", the newest of cycle %" PRIu64,
				 number, numbers[0], numbers[n - 1]);
	return load_file(path, ret_report, error);
}

/* ---- reading ------------------------------------------------------------ */

enum cycle_result report_result(struct json_object *report)
{
	const char *name = json_read_string(report, "result");

	for (int i = RESULT_OK; i <= RESULT_FAILED; i++)
		if (strcmp(name, cycle_result_name((enum cycle_result)i)) == 0)
			return (enum cycle_result)i;
	return RESULT_FAILED;
}

/* The worse of two guests is named: one that is lost before one that is late.
 */
static int badness(struct json_object *guest)
{
	const char *outcome = json_read_string(guest, "outcome");

	if (json_read_boolean(guest, "stranded"))
		return 4;
	if (strcmp(outcome, cycle_outcome_name(OUTCOME_FAILED)) == 0)
		return 3;
	if (strcmp(outcome, cycle_outcome_name(OUTCOME_PAUSED)) == 0)
		return 2;
	return json_read_boolean(guest, "degraded") ? 1 : 0;
}

static struct json_object *worst_guest(struct json_object *report)
{
	struct json_object *worst = NULL, *guest;

	for (size_t i = 0; (guest = report_guest(report, i)); i++)
		if (badness(guest) > (worst ? badness(worst) : 0))
			worst = guest;
	return worst;
}

static const char *words_for_badness(int badness)
{
	static const char *const words[] = { "", "is degraded", "was paused", "failed",
					     "could not be resumed" };

	return words[badness];
}

void report_blame(struct json_object *report, char *ret, size_t size)
{
	struct json_object *guest = worst_guest(report);
	const char *detail = json_read_string(report, "detail");
	int length;

	ret[0] = '\0';
	if (report_result(report) == RESULT_OK)
		return;
	length = snprintf(ret, size, "cycle %" PRId64 " %s", json_read_integer(report, "cycle", 0),
			  json_read_string(report, "result"));
	if (detail[0])
		length += snprintf(ret + length, size - (size_t)length, ": %s", detail);
	/* A cycle that failed says why, and names whom it was about. */
	if (guest && (size_t)length < size &&
	    (!detail[0] || report_result(report) == RESULT_DEGRADED))
		snprintf(ret + length, size - (size_t)length, ": %s %s: %s",
			 json_read_string(guest, "name"), words_for_badness(badness(guest)),
			 json_read_string(guest, "detail"));
}

const char *report_stranded(struct json_object *report)
{
	struct json_object *name;

	if (!json_object_is_type(report, json_type_object) ||
	    !json_object_object_get_ex(report, "stranded", &name))
		return NULL;
	return json_object_get_string(name);
}

int64_t report_time(struct json_object *object, const char *key)
{
	int64_t time_us = json_read_integer(object, key, CYCLE_NEVER);

	return time_us < 0 || time_us > TIME_MAX_US ? CYCLE_NEVER : time_us;
}

int64_t report_span(int64_t from_us, int64_t to_us)
{
	if (from_us == CYCLE_NEVER || to_us == CYCLE_NEVER || to_us < from_us)
		return CYCLE_NEVER;
	return to_us - from_us;
}

struct json_object *report_guest(struct json_object *report, size_t i)
{
	return json_read_item(report, "guests", i);
}

struct json_object *report_phase(struct json_object *report, size_t i)
{
	return json_read_item(report, "phases", i);
}

int64_t report_resume_start(struct json_object *report, struct json_object *guest)
{
	int64_t running = report_time(guest, "running_us");
	int64_t found = CYCLE_NEVER;
	struct json_object *phase;

	for (size_t i = 0; (phase = report_phase(report, i)); i++) {
		int64_t start = report_time(phase, "start_us");

		if (strcmp(json_read_string(phase, "name"), "resume") == 0 &&
		    start != CYCLE_NEVER && start <= running)
			found = start;
	}
	return found;
}
