/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/report-json.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/json.h"
#include "base/moment.h"
#include "base/string-list.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"

/*
 * The greatest moment or duration that is read from a file: ten years, in µs.
 * No cycle is longer. A greater value is read as MOMENT_NEVER.
 */
#define TIME_MAX_US (10ll * 366 * 86400 * 1000000)

/* ---- writing ------------------------------------------------------------ */

static void add_time(struct json_object *object, const char *key, int64_t time_us, int *status)
{
	if (time_us == MOMENT_NEVER)
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

static void add_guest(struct json_object *guests, const struct report_guest *guest, int *status)
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
	json_add_boolean(object, "taken_by_another", guest->taken_by_another, status);
	json_add_string(object, "gone",
			guest->gone == GUEST_NOT_ENDED ? NULL : guest_end_name(guest->gone),
			status);
	json_add_boolean(object, "appeared", guest->appeared, status);
	json_add_boolean(object, "ran_through", guest->ran_through, status);
	add_time(object, "requested_us", guest->requested_us, status);
	add_time(object, "quiesced_us", guest->quiesced_us, status);
	add_time(object, "down_us", guest->down_us, status);
	add_time(object, "resume_us", guest->resume_us, status);
	add_time(object, "running_us", guest->running_us, status);
	add_time(object, "ready_us", guest->ready_us, status);
}

static void add_lists(struct json_object *object, const struct report *report, int *status)
{
	struct json_object *array = json_add_array(object, "phases", status);

	for (size_t i = 0; i < report->n_phases; i++)
		add_phase(array, &report->phases[i], status);
	array = json_add_array(object, "warnings", status);
	for (size_t i = 0; i < report->warnings.n; i++)
		json_add_string(array, NULL, report->warnings.texts[i], status);
	array = json_add_array(object, "guests", status);
	for (size_t i = 0; i < report->n_guests; i++)
		add_guest(array, &report->guests[i], status);
}

/* Adds null for "". */
static void add_text(struct json_object *object, const char *key, const char *text, int *status)
{
	json_add_string(object, key, text[0] ? text : NULL, status);
}

static void add_battery(struct json_object *object, const struct report *report, int *status)
{
	struct json_object *battery = NULL;

	if (!report->has_battery) {
		json_add_null(object, "battery", status);
		return;
	}
	battery = json_add_object(object, "battery", status);
	json_add_integer(battery, "before", report->battery_before, status);
	json_add_integer(battery, "after", report->battery_after, status);
}

static int make_object(const struct report *report, struct json_object **ret_object)
{
	const struct report_guest *slowest = report_slowest(report);
	const struct report_guest *stranded = report_stranded(report);
	struct json_object *object = json_object_new_object();
	int r = object ? 0 : -ENOMEM;

	json_add_integer(object, "cycle", (int64_t)report->cycle, &r);
	json_add_string(object, "started", report->started, &r);
	json_add_string(object, "result", cycle_result_name(report->result), &r);
	json_add_string(object, "trigger", report->trigger, &r);
	json_add_string(object, "detail", report->detail, &r);
	json_add_boolean(object, "held", report->kept_suspended, &r);
	add_time(object, "slept_us", report->slept_us, &r);
	add_text(object, "state", report->slept_in, &r);
	add_text(object, "woken_by", report->woken_by, &r);
	add_text(object, "lid", report->lid, &r);
	add_battery(object, report, &r);
	add_time(object, "written_bytes", report->written_bytes, &r);
	add_lists(object, report, &r);
	json_add_string(object, "slowest", slowest ? slowest->name : NULL, &r);
	json_add_string(object, "stranded", stranded ? stranded->name : NULL, &r);
	if (r < 0)
		json_object_put(object);
	else
		*ret_object = object;
	return r;
}

int report_format(const struct report *report, char **ret_text)
{
	struct json_object *object;
	const char *text;
	char *copy;
	int r;

	assert(report);
	assert(ret_text);
	r = make_object(report, &object);
	if (r < 0)
		return r;
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	copy = text ? strdup(text) : NULL;
	json_object_put(object);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

int report_print_json(const struct report *report, FILE *out)
{
	struct json_object *object;
	int r;

	assert(report);
	assert(out);
	r = make_object(report, &object);
	if (r < 0)
		return r;
	r = json_print(object, out);
	json_object_put(object);
	return r;
}

/* ---- reading ------------------------------------------------------------ */

static void read_text(struct json_object *object, const char *key, char *ret, size_t size)
{
	snprintf(ret, size, "%s", json_read_string(object, key));
}

static int64_t read_time(struct json_object *object, const char *key)
{
	int64_t time_us = json_read_integer(object, key, MOMENT_NEVER);

	return time_us < 0 || time_us > TIME_MAX_US ? MOMENT_NEVER : time_us;
}

static int read_phases(struct json_object *object, struct report *report)
{
	struct json_object *phase;

	for (size_t i = 0; (phase = json_read_item(object, "phases", i)); i++) {
		struct cycle_phase *read;

		if (array_grow(&report->phases, i, sizeof(*report->phases)) < 0)
			return -ENOMEM;
		read = &report->phases[report->n_phases++];
		read_text(phase, "name", read->name, sizeof(read->name));
		read->start_us = read_time(phase, "start_us");
		read->duration_us = read_time(phase, "duration_us");
	}
	return 0;
}

static int read_warnings(struct json_object *object, struct report *report)
{
	struct json_object *warning;
	int r = 0;

	for (size_t i = 0; r == 0 && (warning = json_read_item(object, "warnings", i)); i++)
		if (json_object_is_type(warning, json_type_string))
			r = string_list_add(&report->warnings, json_object_get_string(warning),
					    (size_t)json_object_get_string_len(warning));
	return r;
}

/* In reports of older versions the key is a boolean. */
static enum guest_end read_end(struct json_object *object)
{
	const char *name = json_read_string(object, "gone");

	if (name[0])
		return guest_end_parse(name);
	return json_read_boolean(object, "gone") ? GUEST_DESTROYED : GUEST_NOT_ENDED;
}

static int read_guest(struct json_object *object, struct report_guest *guest)
{
	int64_t domid = json_read_integer(object, "domid", 0);

	if (mechanism_parse(json_read_string(object, "mechanism"), &guest->mechanism) < 0 ||
	    cycle_outcome_parse(json_read_string(object, "outcome"), &guest->outcome) < 0)
		return -EBADMSG;
	read_text(object, "name", guest->name, sizeof(guest->name));
	guest->domid = domid < 0 || domid > UINT32_MAX ? 0 : (uint32_t)domid;
	if (guest_uuid_parse(json_read_string(object, "uuid"), guest->uuid) < 0)
		memset(guest->uuid, 0, sizeof(guest->uuid));
	read_text(object, "detail", guest->detail, sizeof(guest->detail));
	guest->degraded = json_read_boolean(object, "degraded");
	guest->stranded = json_read_boolean(object, "stranded");
	guest->taken_by_another = json_read_boolean(object, "taken_by_another");
	guest->gone = read_end(object);
	guest->appeared = json_read_boolean(object, "appeared");
	guest->ran_through = json_read_boolean(object, "ran_through");
	guest->requested_us = read_time(object, "requested_us");
	guest->quiesced_us = read_time(object, "quiesced_us");
	guest->down_us = read_time(object, "down_us");
	guest->resume_us = read_time(object, "resume_us");
	guest->running_us = read_time(object, "running_us");
	guest->ready_us = read_time(object, "ready_us");
	return 0;
}

static int read_guests(struct json_object *object, struct report *report)
{
	struct json_object *array;
	size_t n;
	int r = 0;

	if (!json_object_object_get_ex(object, "guests", &array) ||
	    !json_object_is_type(array, json_type_array))
		return -EBADMSG;
	n = json_object_array_length(array);
	report->guests = calloc(n + 1, sizeof(*report->guests));
	if (!report->guests)
		return -ENOMEM;
	while (report->n_guests < n && r == 0) {
		struct report_guest *guest = &report->guests[report->n_guests];

		r = read_guest(json_object_array_get_idx(array, report->n_guests++), guest);
	}
	return r;
}

static void read_battery(struct json_object *object, struct report *report)
{
	struct json_object *battery = NULL;

	int64_t before, after;

	if (!json_object_object_get_ex(object, "battery", &battery))
		return;
	before = json_read_integer(battery, "before", -1);
	after = json_read_integer(battery, "after", -1);
	report->has_battery = before >= 0 && before <= 100 && after >= 0 && after <= 100;
	if (!report->has_battery)
		return;
	report->battery_before = (int)before;
	report->battery_after = (int)after;
}

static int read_object(struct json_object *object, struct report *report)
{
	int64_t cycle = json_read_integer(object, "cycle", 0);
	int r;

	if (cycle <= 0 ||
	    cycle_result_parse(json_read_string(object, "result"), &report->result) < 0)
		return -EBADMSG;
	report->cycle = (uint64_t)cycle;
	read_text(object, "started", report->started, sizeof(report->started));
	read_text(object, "trigger", report->trigger, sizeof(report->trigger));
	read_text(object, "detail", report->detail, sizeof(report->detail));
	report->kept_suspended = json_read_boolean(object, "held");
	report->slept_us = read_time(object, "slept_us");
	read_text(object, "state", report->slept_in, sizeof(report->slept_in));
	read_text(object, "woken_by", report->woken_by, sizeof(report->woken_by));
	read_text(object, "lid", report->lid, sizeof(report->lid));
	read_battery(object, report);
	report->written_bytes = json_read_integer(object, "written_bytes", MOMENT_NEVER);
	r = read_phases(object, report);
	if (r == 0)
		r = read_warnings(object, report);
	return r < 0 ? r : read_guests(object, report);
}

/*
 * Makes a report from a JSON object. Takes ownership of `object`, even on
 * failure.
 */
static int take_object(struct json_object *object, struct report **ret_report)
{
	_cleanup_(report_freep) struct report *report = calloc(1, sizeof(*report));
	int r = report ? read_object(object, report) : -ENOMEM;

	json_object_put(object);
	if (r == 0)
		*ret_report = TAKE_PTR(report);
	return r;
}

int report_parse(const char *text, struct report **ret_report)
{
	assert(text);
	assert(ret_report);
	return take_object(json_tokener_parse(text), ret_report);
}

int report_read(int fd, struct report **ret_report)
{
	assert(fd >= 0);
	assert(ret_report);
	return take_object(json_object_from_fd(fd), ret_report);
}
