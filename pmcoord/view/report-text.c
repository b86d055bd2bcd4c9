/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/report-text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/json.h"
#include "base/moment.h"
#include "record/report.h"
#include "base/table.h"

/* How many earlier cycles the expected times come from. */
#define HISTORY_MAX 20

struct history {
	struct json_object *reports[HISTORY_MAX];
	size_t n_reports;
};

struct printer {
	struct json_object *report;
	struct history history;
	FILE *out;
};

static int64_t time_to_go_down(struct json_object *guest)
{
	return report_span(report_time(guest, "requested_us"), report_time(guest, "down_us"));
}

static bool is_acting(struct json_object *guest)
{
	return strcmp(json_read_string(guest, "mechanism"), "none") != 0;
}

static bool has_outcome(struct json_object *guest, const char *outcome)
{
	return strcmp(json_read_string(guest, "outcome"), outcome) == 0;
}

static struct json_object *find_guest(struct json_object *report, const char *name)
{
	struct json_object *guest;

	for (size_t i = 0; (guest = report_guest(report, i)); i++)
		if (strcmp(json_read_string(guest, "name"), name) == 0)
			return guest;
	return NULL;
}

/* ---- expected times ----------------------------------------------------- */

static void history_done(struct history *history)
{
	for (size_t i = 0; i < history->n_reports; i++)
		json_object_put(history->reports[i]);
	history->n_reports = 0;
}

/* Reports that cannot be read only make the history shorter. */
static void history_load(struct history *history, const char *directory, uint64_t before)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = report_list(directory, &numbers);

	while (n-- > 0 && history->n_reports < HISTORY_MAX) {
		struct json_object *report;

		if (numbers[n] < before && report_load(directory, numbers[n], &report, NULL) == 0)
			history->reports[history->n_reports++] = report;
	}
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/*
 * The median of how long this guest took to go down by the same mechanism;
 * CYCLE_NEVER if it never did.
 */
static int64_t expected_time(const struct history *history, struct json_object *guest)
{
	const char *mechanism = json_read_string(guest, "mechanism");
	int64_t times[HISTORY_MAX];
	size_t n = 0;

	for (size_t i = 0; i < history->n_reports; i++) {
		struct json_object *past =
			find_guest(history->reports[i], json_read_string(guest, "name"));
		int64_t time_us = time_to_go_down(past);

		if (time_us != CYCLE_NEVER && has_outcome(past, "suspended") &&
		    strcmp(json_read_string(past, "mechanism"), mechanism) == 0)
			times[n++] = time_us;
	}
	if (n == 0)
		return CYCLE_NEVER;
	qsort(times, n, sizeof(times[0]), compare_times);
	return (times[(n - 1) / 2] + times[n / 2]) / 2;
}

/* ---- the head ----------------------------------------------------------- */

/* What the way down came to: how many of those who should, in what time. */
struct way_down {
	size_t n_acting, n_suspended;
	int64_t first_request, last_down;
};

static struct way_down measure_way_down(struct json_object *report)
{
	struct way_down way = { 0, 0, CYCLE_NEVER, CYCLE_NEVER };
	struct json_object *guest;

	for (size_t i = 0; (guest = report_guest(report, i)); i++) {
		int64_t requested = report_time(guest, "requested_us");
		int64_t down = report_time(guest, "down_us");

		way.n_acting += is_acting(guest);
		way.n_suspended += down != CYCLE_NEVER;
		if (requested != CYCLE_NEVER &&
		    (way.first_request == CYCLE_NEVER || requested < way.first_request))
			way.first_request = requested;
		if (down > way.last_down)
			way.last_down = down;
	}
	return way;
}

/* The longest time from a resume's begin to this moment of a guest. */
static int64_t longest_since_resume(struct json_object *report, const char *key)
{
	int64_t longest = CYCLE_NEVER;
	struct json_object *guest;

	for (size_t i = 0; (guest = report_guest(report, i)); i++) {
		int64_t span =
			report_span(report_resume_start(report, guest), report_time(guest, key));

		if (span > longest)
			longest = span;
	}
	return longest;
}

static void print_way_down(struct printer *printer)
{
	struct way_down way = measure_way_down(printer->report);
	char span[SPAN_TEXT_SIZE];

	if (way.n_acting == 0) {
		fprintf(printer->out, "No guest was to be suspended.\n");
		return;
	}
	fprintf(printer->out, "%zu of %zu guest%s down", way.n_suspended, way.n_acting,
		way.n_acting > 1 ? "s" : "");
	if (way.first_request != CYCLE_NEVER && way.n_suspended > 0)
		fprintf(printer->out, " in %s",
			span_format(report_span(way.first_request, way.last_down), span));
	fprintf(printer->out, ".\n");
}

static void print_sleep(struct printer *printer)
{
	int64_t slept = report_time(printer->report, "slept_us");
	char span[SPAN_TEXT_SIZE];

	if (json_read_boolean(printer->report, "held"))
		fprintf(printer->out,
			"The host is awake; guests are held until 'pmcoord resume-all'.\n");
	else if (slept != CYCLE_NEVER)
		fprintf(printer->out, "The host slept for %s.\n", span_format(slept, span));
	else
		fprintf(printer->out, "The host stayed awake.\n");
}

static void print_way_back(struct printer *printer)
{
	int64_t running = longest_since_resume(printer->report, "running_us");
	int64_t ready = longest_since_resume(printer->report, "ready_us");
	char span[SPAN_TEXT_SIZE];
	struct json_object *guest;
	size_t n = 0;

	for (size_t i = 0; (guest = report_guest(printer->report, i)); i++)
		n += report_time(guest, "running_us") != CYCLE_NEVER;
	if (running == CYCLE_NEVER)
		return;
	fprintf(printer->out, "%zu guest%s back in %s", n, n > 1 ? "s" : "",
		span_format(running, span));
	if (ready != CYCLE_NEVER)
		fprintf(printer->out, ", devices after %s", span_format(ready, span));
	fprintf(printer->out, ".\n");
}

static void print_head(struct printer *printer)
{
	struct json_object *report = printer->report;

	fprintf(printer->out, "Cycle %" PRId64 ": %s\nStarted ",
		json_read_integer(report, "cycle", 0), json_read_string(report, "result"));
	moment_print_local(json_read_string(printer->report, "started"), printer->out);
	fprintf(printer->out, " by %s.\n", json_read_string(report, "trigger"));
	print_way_down(printer);
	print_sleep(printer);
	print_way_back(printer);
}

/* ---- the guests --------------------------------------------------------- */

static const struct table_column columns[] = {
	{ "GUEST", false, false },   { "DOMID", true, false },	 { "MECHANISM", false, false },
	{ "OUTCOME", false, false }, { "QUIESCED", true, true }, { "DOWN", true, true },
	{ "EXPECTED", true, true },  { "RUNNING", true, true },	 { "READY", true, true },
	{ "DETAIL", false, true },   { NULL, false, false },
};

static const char *const dispensable[] = { "DOMID", "EXPECTED", "QUIESCED", "MECHANISM", NULL };

/* A time as a cell: empty where there is none. */
static const char *cell(int64_t span_us, char text[SPAN_TEXT_SIZE])
{
	return span_us == CYCLE_NEVER ? NULL : span_format_ms(span_us, text);
}

/* What did not go as usual; empty if all did. */
static const char *detail(struct json_object *guest)
{
	const char *text = json_read_string(guest, "detail");

	return !text[0] && json_read_boolean(guest, "gone") ? "gone" : text;
}

static int add_guest(struct printer *printer, struct table *table, struct json_object *guest)
{
	int64_t requested = report_time(guest, "requested_us");
	int64_t resume = report_resume_start(printer->report, guest);
	char domid[24], times[5][SPAN_TEXT_SIZE];
	const char *cells[] = {
		json_read_string(guest, "name"),
		domid,
		json_read_string(guest, "mechanism"),
		json_read_string(guest, "outcome"),
		cell(report_span(requested, report_time(guest, "quiesced_us")), times[0]),
		cell(time_to_go_down(guest), times[1]),
		cell(expected_time(&printer->history, guest), times[2]),
		cell(report_span(resume, report_time(guest, "running_us")), times[3]),
		cell(report_span(resume, report_time(guest, "ready_us")), times[4]),
		detail(guest),
	};

	snprintf(domid, sizeof(domid), "%" PRId64, json_read_integer(guest, "domid", -1));
	return table_add_line(table, cells);
}

/* Guests of which `suspend GUEST` wanted nothing are in the JSON only. */
static bool is_of_interest(struct json_object *guest)
{
	return strcmp(json_read_string(guest, "detail"), PLAN_NOT_ASKED_FOR) != 0;
}

static int print_guests(struct printer *printer)
{
	_cleanup_(table_freep) struct table *table = NULL;
	struct json_object *guest;
	bool any_back = false;
	int r;

	if (!report_guest(printer->report, 0))
		return 0;
	r = table_new(columns, printer->out, &table);
	for (size_t i = 0; r == 0 && (guest = report_guest(printer->report, i)); i++) {
		any_back |= report_time(guest, "running_us") != CYCLE_NEVER;
		if (is_of_interest(guest))
			r = add_guest(printer, table, guest);
	}
	if (r < 0)
		return r;
	fprintf(printer->out, "\n");
	table_set_optional(table, dispensable);
	r = table_print(table);
	fprintf(printer->out, "\nTimes in ms since the request%s.\n",
		any_back ? "; RUNNING and READY since the resume began" : "");
	return r;
}

/* ---- what it took, and what went wrong ---------------------------------- */

static void print_expected(struct printer *printer, struct json_object *guest)
{
	int64_t expected = expected_time(&printer->history, guest);
	char span[SPAN_TEXT_SIZE];

	if (expected != CYCLE_NEVER)
		fprintf(printer->out, " (usually %s)", span_format(expected, span));
}

static void print_slowest(struct printer *printer)
{
	const char *name = json_read_string(printer->report, "slowest");
	struct json_object *guest = find_guest(printer->report, name);
	int64_t time_us = time_to_go_down(guest);
	char span[SPAN_TEXT_SIZE];

	if (time_us == CYCLE_NEVER)
		return;
	fprintf(printer->out, "Slowest to go down: %s, %s", name, span_format(time_us, span));
	print_expected(printer, guest);
	fprintf(printer->out, ".\n");
}

static void print_phases(struct printer *printer)
{
	struct json_object *phase;
	char span[SPAN_TEXT_SIZE];
	size_t i;

	for (i = 0; (phase = report_phase(printer->report, i)); i++)
		fprintf(printer->out, "%s%s %s",
			i ? ", " : "Phases: ", json_read_string(phase, "name"),
			span_format(report_time(phase, "duration_us"), span));
	if (i > 0)
		fprintf(printer->out, ".\n");
}

static bool went_wrong(struct json_object *guest)
{
	return has_outcome(guest, "failed") || has_outcome(guest, "paused") ||
	       json_read_boolean(guest, "degraded") || json_read_boolean(guest, "stranded");
}

/* How long a guest that did not suspend kept the others waiting. */
static int64_t held_up_for(struct json_object *report, struct json_object *guest)
{
	int64_t requested = report_time(guest, "requested_us");
	int64_t end = report_time(guest, "down_us");
	struct json_object *phase;

	if (!has_outcome(guest, "failed") && !has_outcome(guest, "paused"))
		return CYCLE_NEVER;
	for (size_t i = 0; end == CYCLE_NEVER && (phase = report_phase(report, i)); i++) {
		int64_t duration = report_time(phase, "duration_us");

		if (strcmp(json_read_string(phase, "name"), "suspend") == 0 &&
		    duration != CYCLE_NEVER)
			end = report_time(phase, "start_us") + duration;
	}
	return report_span(requested, end);
}

static void print_blocker(struct printer *printer)
{
	struct json_object *guest, *blocker = NULL;
	int64_t longest = CYCLE_NEVER;
	char span[SPAN_TEXT_SIZE];

	for (size_t i = 0; (guest = report_guest(printer->report, i)); i++) {
		int64_t span_us = held_up_for(printer->report, guest);

		if (span_us <= longest)
			continue;
		longest = span_us;
		blocker = guest;
	}
	if (!blocker)
		return;
	fprintf(printer->out, "  Held up by %s for %s", json_read_string(blocker, "name"),
		span_format(longest, span));
	print_expected(printer, blocker);
	fprintf(printer->out, ".\n");
}

static void print_wrong_guest(struct printer *printer, struct json_object *guest)
{
	const char *detail = json_read_string(guest, "detail");
	bool is_back = !json_read_boolean(guest, "stranded");

	fprintf(printer->out, "  %s (%" PRId64 "): %s%s%s%s\n", json_read_string(guest, "name"),
		json_read_integer(guest, "domid", -1), json_read_string(guest, "outcome"),
		is_back ? "" : ", NOT BROUGHT BACK", detail[0] ? ": " : "", detail);
}

static void print_wrong(struct printer *printer)
{
	const char *detail = json_read_string(printer->report, "detail");
	struct json_object *guest;

	if (report_result(printer->report) == RESULT_OK)
		return;
	fprintf(printer->out, "\nWhat went wrong:\n");
	if (detail[0])
		fprintf(printer->out, "  %s\n", detail);
	for (size_t i = 0; (guest = report_guest(printer->report, i)); i++)
		if (went_wrong(guest))
			print_wrong_guest(printer, guest);
	print_blocker(printer);
}

static void print_warnings(const struct printer *printer)
{
	struct json_object *warning;

	for (size_t i = 0; (warning = json_read_item(printer->report, "warnings", i)); i++)
		fprintf(printer->out, "%sWarning: %s\n", i ? "" : "\n",
			json_object_get_string(warning));
}

int report_print(struct json_object *report, const char *directory, FILE *out)
{
	struct printer printer = { .report = report, .out = out };
	int64_t number = json_read_integer(report, "cycle", 0);
	int r;

	if (directory && number > 0)
		history_load(&printer.history, directory, (uint64_t)number);
	print_head(&printer);
	r = print_guests(&printer);
	if (r == 0) {
		fprintf(out, "\n");
		print_slowest(&printer);
		print_phases(&printer);
		print_wrong(&printer);
		print_warnings(&printer);
	}
	history_done(&printer.history);
	return r < 0 ? r : ferror(out) ? -EIO : 0;
}
