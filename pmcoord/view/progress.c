/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"
#include "model/cycle.h"
#include "model/inventory.h"
#include "model/plan.h"

/* IDs of the log entries that the catalogue (hooks/pmcoord.catalog) explains. */
#define MESSAGE_ID_CYCLE "a1d7c0f4c7b74d0c8f6a4d2f5f3c9e10"
#define MESSAGE_ID_GUEST "a1d7c0f4c7b74d0c8f6a4d2f5f3c9e11"

void progress_init(struct progress *progress, bool quiet, bool verbose)
{
	struct stat st;
	bool is_file = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);

	*progress = (struct progress){
		.print = !quiet && !is_file,
		.verbose = verbose,
	};
	if (!progress->print)
		return;
	setvbuf(stdout, NULL, _IOLBF, 0);
	tty_init(&progress->tty);
}

static void send_status(void *data)
{
	const struct progress *progress = data;

	sd_notifyf(0, "STATUS=%s", progress->status);
}

void progress_notify(struct progress *progress, sd_event *event)
{
	deferred_new(event, send_status, progress, &progress->deferred);
}

void progress_done(struct progress *progress)
{
	deferred_free(progress->deferred);
	progress->deferred = NULL;
}

enum shown {
	SHOWN_NEVER,
	SHOWN_ALWAYS,
	SHOWN_VERBOSE, /* with --verbose */
};

/*
 * Indexed by record type: the text for a record about a guest, and when this text
 * is printed. Other types are never printed.
 */
static const struct {
	const char *text;
	enum shown shown;
} guest_texts[] = {
	[RECORD_SKIP] = { "skipped", SHOWN_VERBOSE },
	[RECORD_REQUEST] = { "requested", SHOWN_VERBOSE },
	[RECORD_QUIESCED] = { "quiesced", SHOWN_VERBOSE },
	[RECORD_SUSPENDED] = { "suspended", SHOWN_ALWAYS },
	[RECORD_RETRACTED] = { "request retracted", SHOWN_VERBOSE },
	[RECORD_ACKNOWLEDGED] = { "may still suspend", SHOWN_VERBOSE },
	[RECORD_RELEASED] = { "resumed by others", SHOWN_ALWAYS },
	[RECORD_PAUSED] = { "paused", SHOWN_ALWAYS },
	[RECORD_TAKEN] = { "left alone", SHOWN_ALWAYS },
	[RECORD_GONE] = { "gone", SHOWN_ALWAYS },
	[RECORD_APPEARED] = { "appeared", SHOWN_ALWAYS },
	[RECORD_STILL_RUNS] = { "still runs", SHOWN_ALWAYS },
	[RECORD_FAIL] = { "failed", SHOWN_ALWAYS },
	[RECORD_STRANDED] = { "NOT RESUMED", SHOWN_ALWAYS },
	[RECORD_RUNNING] = { "running", SHOWN_ALWAYS },
	[RECORD_READY] = { "ready", SHOWN_ALWAYS },
	[RECORD_DEGRADED] = { "degraded", SHOWN_ALWAYS },
	[RECORD_END] = { NULL, SHOWN_NEVER },
};
ENUM_COMPLETE(guest_texts, RECORD_END);

/*
 * Returns the origin of printed times: the start of the last phase "suspend" or
 * "resume". Without such a phase, returns 0, the start of the cycle.
 */
static int64_t origin_of(const struct cycle *cycle)
{
	for (size_t i = cycle->n_phases; i-- > 0;) {
		const struct cycle_phase *phase = &cycle->phases[i];

		if (strcmp(phase->name, "suspend") == 0 || strcmp(phase->name, "resume") == 0)
			return phase->start_us;
	}
	return 0;
}

/* Room for a time, a name and the text of a record. */
#define LINE_MAX_SIZE (CYCLE_DETAIL_MAX + GUEST_NAME_MAX + 128)

static void format_guest(const struct cycle *cycle, const struct record *record,
			 char ret[LINE_MAX_SIZE])
{
	snprintf(ret, LINE_MAX_SIZE, "%8.1f ms  %-16s %s%s%s",
		 (double)((int64_t)(record->at_us - cycle->head.base_us) - origin_of(cycle)) /
			 1000.0,
		 cycle->guests[record->guest].name, guest_texts[record->type].text,
		 record->text && record->text[0] ? ": " : "", record->text ? record->text : "");
}

/*
 * Prints a record about a guest in the guest's line, which is rewritten in
 * place. Without such a line, prints a new line, for some records only with
 * --verbose.
 */
static void print_guest(struct progress *progress, const struct cycle *cycle,
			const struct record *record)
{
	enum shown shown = guest_texts[record->type].shown;
	char line[LINE_MAX_SIZE];

	if (shown == SHOWN_NEVER)
		return;
	format_guest(cycle, record, line);
	if (!tty_set(&progress->tty, record->guest, line) &&
	    (shown == SHOWN_ALWAYS || progress->verbose))
		tty_print_line(&progress->tty, line);
}

/* Draws a line for each guest to suspend or, if `resuming` is set, to resume. */
static void draw(struct progress *progress, const struct cycle *cycle, bool resuming)
{
	size_t guests[TTY_GUESTS_MAX] = { 0 }, n = 0;

	for (size_t i = 0; i < cycle->n_guests && n < TTY_GUESTS_MAX; i++)
		if (resuming ? cycle->guests[i].hold != HOLD_NONE
			     : cycle->guests[i].mechanism != MECHANISM_NONE)
			guests[n++] = i;
	if (n == TTY_GUESTS_MAX || !tty_draw(&progress->tty, guests, n))
		return;
	for (size_t i = 0; i < n; i++) {
		char line[LINE_MAX_SIZE];

		snprintf(line, sizeof(line), "%8s     %-16s %s", "", cycle->guests[guests[i]].name,
			 resuming ? "suspended" : "waiting");
		tty_set(&progress->tty, guests[i], line);
	}
}

static void take_phase(struct progress *progress, const struct cycle *cycle, const char *phase)
{
	if (progress->tty.rows == 0)
		return;
	if (strcmp(phase, "suspend") == 0)
		draw(progress, cycle, false);
	/* There are no lines to rewrite if e.g. another process suspended the guests. */
	else if (strcmp(phase, "resume") == 0 && !progress->tty.is_drawn)
		draw(progress, cycle, true);
}

_printf_(2, 3) static void print_line(struct progress *progress, const char *format, ...)
{
	char line[LINE_MAX_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	tty_print_line(&progress->tty, line);
}

/* Prints the records that only `pmcoord monitor` shows. */
static void print_for_monitor(struct progress *progress, const struct cycle *cycle,
			      const struct record *record)
{
	switch (record->type) {
	case RECORD_CYCLE:
		print_line(progress, "Cycle %" PRIu64 " started: %s.", cycle->head.number,
			   cycle->head.trigger);
		break;
	case RECORD_PHASE:
		print_line(progress, "Phase: %s.", record->text);
		break;
	case RECORD_KEPT_SUSPENDED:
		print_line(progress, "Guests stay suspended until 'pmcoord resume-all'.");
		break;
	case RECORD_END:
		print_line(progress, "Cycle %" PRIu64 " ended: %s%s%s.", cycle->head.number,
			   cycle_result_name(cycle_result(cycle)), cycle->detail[0] ? ": " : "",
			   cycle->detail);
		break;
	default:
		break;
	}
}

static void print_record(struct progress *progress, const struct cycle *cycle,
			 const struct record *record)
{
	if (record_type_has_guest(record->type))
		print_guest(progress, cycle, record);
	else if (record->type == RECORD_ABORT)
		print_line(progress, "aborted: %s", record->text);
	else if (record->type == RECORD_NOTE)
		print_line(progress, "note: %s", record->text);
	else if (record->type == RECORD_SLEPT)
		print_line(progress, "   host awake");
	else if (record->type == RECORD_AWAKE)
		print_line(progress, "the host did not sleep: %s", record->text);
	else if (progress->watches)
		print_for_monitor(progress, cycle, record);
	else if (record->type == RECORD_PHASE)
		take_phase(progress, cycle, record->text);
}

static size_t count_planned(const struct cycle *cycle)
{
	size_t n = 0;

	for (size_t i = 0; i < cycle->n_guests; i++)
		n += cycle->guests[i].mechanism != MECHANISM_NONE;
	return n;
}

static void change_status(struct progress *progress, const struct cycle *cycle,
			  const struct record *record)
{
	if (record->type == RECORD_PHASE)
		snprintf(progress->status, sizeof(progress->status), "Phase: %s.", record->text);
	else if (record->type == RECORD_SUSPENDED || record->type == RECORD_PAUSED)
		snprintf(progress->status, sizeof(progress->status),
			 "%zu of %zu guests are suspended.", progress->n_suspended,
			 count_planned(cycle));
	else
		return;
	deferred_schedule(progress->deferred);
}

void progress_observe(void *data, const struct cycle *cycle, const struct record *record)
{
	struct progress *progress = data;

	if (record->type == RECORD_SUSPENDED || record->type == RECORD_PAUSED)
		progress->n_suspended++;
	if (progress->print)
		print_record(progress, cycle, record);
	if (progress->deferred)
		change_status(progress, cycle, record);
}

static void log_guest(const struct report_guest *guest, uint64_t cycle)
{
	enum guest_verdict verdict = report_guest_verdict(guest);
	const char *step =
		verdict == VERDICT_STRANDED ? "stranded" : cycle_outcome_name(guest->outcome);

	if (verdict == VERDICT_OK)
		return;
	sd_journal_send("MESSAGE=Guest '%s': %s%s%s", guest->name, step,
			guest->detail[0] ? ": " : "", guest->detail, "PRIORITY=%i", LOG_WARNING,
			"MESSAGE_ID=" MESSAGE_ID_GUEST, "PMCOORD_DOMAIN=%s", guest->name,
			"PMCOORD_STEP=%s", step, "PMCOORD_CYCLE=%" PRIu64, cycle, NULL);
}

void progress_log_cycle(const struct report *report)
{
	const char *result;

	assert(report);
	result = cycle_result_name(report->result);
	sd_journal_send("MESSAGE=Cycle %" PRIu64 ": %s%s%s", report->cycle, result,
			report->detail[0] ? ": " : "", report->detail, "PRIORITY=%i",
			report->result == RESULT_OK ? LOG_INFO : LOG_WARNING,
			"MESSAGE_ID=" MESSAGE_ID_CYCLE, "PMCOORD_CYCLE=%" PRIu64, report->cycle,
			"PMCOORD_STEP=%s", result, NULL);
	for (size_t i = 0; i < report->n_guests; i++)
		log_guest(&report->guests[i], report->cycle);
}
