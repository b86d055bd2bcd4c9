/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/report-text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "base/moment.h"
#include "base/string-list.h"
#include "base/table.h"
#include "model/cycle.h"
#include "model/plan.h"
#include "record/report-file.h"
#include "record/statistics.h"

/* Expected times are computed from at most this many earlier cycles. */
#define HISTORY_MAX 20

struct history {
	struct report *reports[HISTORY_MAX];
	size_t n_reports;
};

struct printer {
	const struct report *report;
	struct history history;
	FILE *out;
};

/* ---- expected times ----------------------------------------------------- */

static void history_done(struct history *history)
{
	for (size_t i = 0; i < history->n_reports; i++)
		report_free(history->reports[i]);
	history->n_reports = 0;
}

/* Loads the newest reports of cycles before cycle `before`. Skips unreadable reports. */
static void history_load(struct history *history, const char *directory, uint64_t before)
{
	_cleanup_(freep) uint64_t *numbers = NULL;
	int n = report_list(directory, &numbers);

	while (n-- > 0 && history->n_reports < HISTORY_MAX) {
		struct report *report;

		if (numbers[n] < before && report_load(directory, numbers[n], &report, NULL) == 0)
			history->reports[history->n_reports++] = report;
	}
}

/*
 * Returns the median of the times that this guest took to suspend with the same
 * mechanism in earlier cycles; MOMENT_NEVER if there is no such time.
 */
static int64_t expected_time(const struct history *history, const struct report_guest *guest)
{
	struct samples samples = { 0 };
	int64_t median_us;

	for (size_t i = 0; i < history->n_reports; i++) {
		const struct report_guest *past =
			report_find_guest(history->reports[i], guest->name);

		/* Ignore -ENOMEM: the median then uses fewer cycles. */
		if (past && past->outcome == OUTCOME_SUSPENDED &&
		    past->mechanism == guest->mechanism)
			samples_add(&samples, report_guest_suspend_us(past));
	}
	median_us = samples_summarize(&samples).median_us;
	samples_done(&samples);
	return median_us;
}

/* ---- the head ----------------------------------------------------------- */

/* Totals over the guests of the plan. A paused guest counts as suspended. */
struct suspend_summary {
	size_t n_planned, n_suspended;
	int64_t first_request_us, last_us; /* last_us: when the last guest was suspended */
};

static struct suspend_summary summarize_suspend(const struct report *report)
{
	struct suspend_summary summary = { 0, 0, MOMENT_NEVER, MOMENT_NEVER };

	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];

		summary.n_planned += guest->mechanism != MECHANISM_NONE;
		summary.n_suspended += guest->down_us != MOMENT_NEVER;
		if (guest->requested_us != MOMENT_NEVER &&
		    (summary.first_request_us == MOMENT_NEVER ||
		     guest->requested_us < summary.first_request_us))
			summary.first_request_us = guest->requested_us;
		if (guest->down_us > summary.last_us)
			summary.last_us = guest->down_us;
	}
	return summary;
}

static void print_suspend(struct printer *printer)
{
	struct suspend_summary summary = summarize_suspend(printer->report);
	int64_t span_us = span_between(summary.first_request_us, summary.last_us);
	char text[SPAN_TEXT_SIZE];

	if (summary.n_planned == 0) {
		fprintf(printer->out, "No guest had to be suspended.\n");
		return;
	}
	fprintf(printer->out, "%zu of %zu guest%s suspended", summary.n_suspended,
		summary.n_planned, summary.n_planned > 1 ? "s" : "");
	if (summary.n_suspended > 0 && span_us != MOMENT_NEVER)
		fprintf(printer->out, " in %s", span_format(span_us, text));
	fprintf(printer->out, ".\n");
}

static void print_slept(const struct report *report, FILE *out)
{
	char text[SPAN_TEXT_SIZE];

	fprintf(out, "The host slept for %s", span_format(report->slept_us, text));
	if (report->woken_by[0] && strcmp(report->woken_by, "unknown") != 0)
		fprintf(out, "; woken by: %s", report->woken_by);
	if (strcmp(report->lid, "closed") == 0)
		fprintf(out, ", with a closed lid");
	fprintf(out, ".\n");
	if (report->has_battery)
		fprintf(out, "Battery: %d %% before, %d %% after.\n", report->battery_before,
			report->battery_after);
}

static void print_sleep(struct printer *printer)
{
	if (printer->report->kept_suspended)
		fprintf(printer->out,
			"The host is awake; guests stay suspended until 'pmcoord resume-all'.\n");
	else if (printer->report->slept_us != MOMENT_NEVER)
		print_slept(printer->report, printer->out);
	else
		fprintf(printer->out, "The host stayed awake.\n");
}

static void print_resume(struct printer *printer)
{
	const struct report *report = printer->report;
	int64_t running_us = MOMENT_NEVER, ready_us = MOMENT_NEVER;
	char text[SPAN_TEXT_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];
		int64_t start_us = report_resume_start_us(report, guest);

		n += guest->running_us != MOMENT_NEVER;
		running_us = moment_later(running_us, span_between(start_us, guest->running_us));
		ready_us = moment_later(ready_us, span_between(start_us, guest->ready_us));
	}
	if (running_us == MOMENT_NEVER)
		return;
	fprintf(printer->out, "%zu guest%s resumed in %s", n, n > 1 ? "s" : "",
		span_format(running_us, text));
	if (ready_us != MOMENT_NEVER)
		fprintf(printer->out, ", devices ready after %s", span_format(ready_us, text));
	fprintf(printer->out, ".\n");
}

static void print_head(struct printer *printer)
{
	const struct report *report = printer->report;

	fprintf(printer->out, "Cycle %" PRIu64 ": %s\nStarted ", report->cycle,
		cycle_result_name(report->result));
	moment_print_local(report->started, printer->out);
	fprintf(printer->out, " by %s.\n", report->trigger);
	print_suspend(printer);
	print_sleep(printer);
	print_resume(printer);
}

/* ---- the guests --------------------------------------------------------- */

static const struct table_column columns[] = {
	{ "GUEST", false, false },   { "DOMID", true, false },	 { "MECHANISM", false, false },
	{ "OUTCOME", false, false }, { "QUIESCED", true, true }, { "DOWN", true, true },
	{ "EXPECTED", true, true },  { "RUNNING", true, true },	 { "READY", true, true },
	{ "DETAIL", false, true },   { NULL, false, false },
};

static const char *const dispensable[] = { "DOMID", "EXPECTED", "QUIESCED", "MECHANISM", NULL };

/* Formats a time span. Returns NULL, an empty cell of the table, for MOMENT_NEVER. */
static const char *cell(int64_t span_us, char text[SPAN_TEXT_SIZE])
{
	return span_us == MOMENT_NEVER ? NULL : span_format_ms(span_us, text);
}

static const char *detail_of(const struct report_guest *guest)
{
	return !guest->detail[0] && guest->gone ? "gone" : guest->detail;
}

static int add_guest(struct printer *printer, struct table *table, const struct report_guest *guest)
{
	int64_t resume_us = report_resume_start_us(printer->report, guest);
	char domid[16], times[5][SPAN_TEXT_SIZE];
	const char *cells[] = {
		guest->name,
		domid,
		mechanism_name(guest->mechanism),
		cycle_outcome_name(guest->outcome),
		cell(span_between(guest->requested_us, guest->quiesced_us), times[0]),
		cell(report_guest_suspend_us(guest), times[1]),
		cell(expected_time(&printer->history, guest), times[2]),
		cell(span_between(resume_us, guest->running_us), times[3]),
		cell(span_between(resume_us, guest->ready_us), times[4]),
		detail_of(guest),
	};

	snprintf(domid, sizeof(domid), "%" PRIu32, guest->domid);
	return table_add_line(table, cells);
}

/*
 * Whether the table shows the guest. Guests that `suspend GUEST` did not select
 * appear only in JSON.
 */
static bool is_listed(const struct report_guest *guest)
{
	return strcmp(guest->detail, PLAN_NOT_NAMED) != 0;
}

static void print_origins(struct printer *printer, bool any_resumed)
{
	fprintf(printer->out, "\nTimes in ms. QUIESCED, DOWN: since the guest's own request.\n");
	if (any_resumed)
		fprintf(printer->out, "RUNNING, READY: since the %s.\n",
			printer->report->slept_us == MOMENT_NEVER ? "resume began" : "host woke");
}

static int print_guests(struct printer *printer)
{
	const struct report *report = printer->report;
	_cleanup_(table_freep) struct table *table = NULL;
	bool any_resumed = false;
	int r;

	if (report->n_guests == 0)
		return 0;
	r = table_new(columns, printer->out, &table);
	for (size_t i = 0; r == 0 && i < report->n_guests; i++) {
		any_resumed |= report->guests[i].running_us != MOMENT_NEVER;
		if (is_listed(&report->guests[i]))
			r = add_guest(printer, table, &report->guests[i]);
	}
	if (r < 0)
		return r;
	fprintf(printer->out, "\n");
	table_set_dispensable(table, dispensable);
	r = table_print(table);
	print_origins(printer, any_resumed);
	return r;
}

/* ---- durations, and what went wrong ------------------------------------- */

static void print_expected(struct printer *printer, const struct report_guest *guest)
{
	int64_t expected_us = expected_time(&printer->history, guest);
	char text[SPAN_TEXT_SIZE];

	if (expected_us != MOMENT_NEVER)
		fprintf(printer->out, " (usually %s)", span_format(expected_us, text));
}

static void print_slowest(struct printer *printer)
{
	const struct report_guest *guest = report_slowest(printer->report);
	char text[SPAN_TEXT_SIZE];

	if (!guest)
		return;
	fprintf(printer->out, "Slowest to suspend: %s, %s", guest->name,
		span_format(report_guest_suspend_us(guest), text));
	print_expected(printer, guest);
	fprintf(printer->out, ".\n");
}

static void print_phases(struct printer *printer)
{
	const struct report *report = printer->report;
	char text[SPAN_TEXT_SIZE];

	for (size_t i = 0; i < report->n_phases; i++)
		fprintf(printer->out, "%s%s %s", i ? ", " : "Phases: ", report->phases[i].name,
			span_format(report->phases[i].duration_us, text));
	if (report->n_phases > 0)
		fprintf(printer->out, ".\n");
}

/*
 * Returns how long the cycle waited for this guest, if the guest failed or was
 * paused; otherwise MOMENT_NEVER.
 */
static int64_t blocked_for(const struct report *report, const struct report_guest *guest)
{
	int64_t end_us =
		guest->down_us == MOMENT_NEVER ? report_suspend_end_us(report) : guest->down_us;

	if (guest->outcome != OUTCOME_FAILED && guest->outcome != OUTCOME_PAUSED)
		return MOMENT_NEVER;
	return span_between(guest->requested_us, end_us);
}

static void print_blocker(struct printer *printer)
{
	const struct report *report = printer->report;
	const struct report_guest *blocker = NULL;
	int64_t longest_us = MOMENT_NEVER;
	char text[SPAN_TEXT_SIZE];

	for (size_t i = 0; i < report->n_guests; i++) {
		int64_t span_us = blocked_for(report, &report->guests[i]);

		if (span_us <= longest_us)
			continue;
		longest_us = span_us;
		blocker = &report->guests[i];
	}
	if (!blocker)
		return;
	fprintf(printer->out, "  The cycle waited %s for %s", span_format(longest_us, text),
		blocker->name);
	print_expected(printer, blocker);
	fprintf(printer->out, ".\n");
}

static void print_wrong_guest(struct printer *printer, const struct report_guest *guest)
{
	bool is_stranded = report_guest_verdict(guest) == VERDICT_STRANDED;

	fprintf(printer->out, "  %s (%" PRIu32 "): %s%s%s%s\n", guest->name, guest->domid,
		cycle_outcome_name(guest->outcome), is_stranded ? ", NOT RESUMED" : "",
		guest->detail[0] ? ": " : "", guest->detail);
}

/* Whether more is wrong than the warnings tell. */
static bool has_wrong(const struct report *report)
{
	for (size_t i = 0; i < report->n_guests; i++)
		if (report_guest_verdict(&report->guests[i]) != VERDICT_OK)
			return true;
	return report->detail[0];
}

static void print_wrong(struct printer *printer)
{
	const struct report *report = printer->report;

	if (report->result == RESULT_OK || !has_wrong(report))
		return;
	fprintf(printer->out, "\nWhat went wrong:\n");
	if (report->detail[0])
		fprintf(printer->out, "  %s\n", report->detail);
	for (size_t i = 0; i < report->n_guests; i++)
		if (report_guest_verdict(&report->guests[i]) != VERDICT_OK)
			print_wrong_guest(printer, &report->guests[i]);
	print_blocker(printer);
}

static void print_warnings(const struct printer *printer)
{
	const struct string_list *warnings = &printer->report->warnings;

	for (size_t i = 0; i < warnings->n; i++)
		fprintf(printer->out, "%sWarning: %s\n", i ? "" : "\n", warnings->texts[i]);
}

int report_print(const struct report *report, const char *directory, FILE *out)
{
	struct printer printer = { .report = report, .out = out };
	int r;

	assert(report);
	assert(out);
	if (directory)
		history_load(&printer.history, directory, report->cycle);
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
