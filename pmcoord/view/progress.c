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

/* Entries that the catalogue (hooks/pmcoord.catalog) explains. */
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

static void tell_status(void *data)
{
	const struct progress *progress = data;

	sd_notifyf(0, "STATUS=%s", progress->status);
}

void progress_notify(struct progress *progress, sd_event *event)
{
	deferred_new(event, tell_status, progress, &progress->deferred);
}

void progress_done(struct progress *progress)
{
	deferred_free(progress->deferred);
	progress->deferred = NULL;
}

enum told {
	TO_NOBODY, /* it goes without saying */
	TO_ALL,
	TO_THE_CURIOUS, /* with --verbose */
};

/* What a record about a guest means to a person. */
static const struct {
	const char *words;
	enum told told;
} guest_words[] = {
	[RECORD_SKIP] = { "left alone", TO_THE_CURIOUS },
	[RECORD_REQUEST] = { "asked", TO_THE_CURIOUS },
	[RECORD_QUIESCED] = { "quiesced", TO_THE_CURIOUS },
	[RECORD_SUSPENDED] = { "down", TO_ALL },
	[RECORD_RETRACTED] = { "no longer asked", TO_THE_CURIOUS },
	[RECORD_ACKNOWLEDGED] = { "may still go down", TO_THE_CURIOUS },
	[RECORD_PAUSED] = { "paused", TO_ALL },
	[RECORD_GONE] = { "gone", TO_ALL },
	[RECORD_FAIL] = { "failed", TO_ALL },
	[RECORD_STRANDED] = { "NOT RESUMED", TO_ALL },
	[RECORD_RUNNING] = { "running", TO_ALL },
	[RECORD_READY] = { "ready", TO_ALL },
	[RECORD_DEGRADED] = { "degraded", TO_ALL },
	[RECORD_END] = { NULL, TO_NOBODY },
};
ENUM_COMPLETE(guest_words, RECORD_END);

/* Since when a person counts: the first request, or the wake. */
static int64_t counting_from(const struct cycle *cycle)
{
	for (size_t i = cycle->n_phases; i-- > 0;) {
		const struct cycle_phase *phase = &cycle->phases[i];

		if (strcmp(phase->name, "suspend") == 0 || strcmp(phase->name, "resume") == 0)
			return phase->start_us;
	}
	return 0;
}

/* Room for a time, a name, and what a record says. */
#define LINE_MAX_SIZE (CYCLE_DETAIL_MAX + GUEST_NAME_MAX + 128)

static void format_guest(const struct cycle *cycle, const struct record *record,
			 char ret[LINE_MAX_SIZE])
{
	snprintf(ret, LINE_MAX_SIZE, "%8.1f ms  %-16s %s%s%s",
		 (double)((int64_t)(record->at_us - cycle->head.base_us) - counting_from(cycle)) /
			 1000.0,
		 cycle->guests[record->guest].name, guest_words[record->type].words,
		 record->text && record->text[0] ? ": " : "", record->text ? record->text : "");
}

/* In place every step is shown: it is gone again soon. */
static void print_guest(struct progress *progress, const struct cycle *cycle,
			const struct record *record)
{
	enum told told = guest_words[record->type].told;
	char line[LINE_MAX_SIZE];

	if (told == TO_NOBODY)
		return;
	format_guest(cycle, record, line);
	if (!tty_set(&progress->tty, record->guest, line) && (told == TO_ALL || progress->verbose))
		tty_print_line(&progress->tty, line);
}

/* A line for each guest that something is about to be done with. */
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
			 resuming ? "held" : "waits for others");
		tty_set(&progress->tty, guests[i], line);
	}
}

static void take_phase(struct progress *progress, const struct cycle *cycle, const char *phase)
{
	if (progress->tty.rows == 0)
		return;
	if (strcmp(phase, "suspend") == 0)
		draw(progress, cycle, false);
	/* Of a cycle of which we have not seen the way down. */
	else if (strcmp(phase, "resume") == 0 && !progress->tty.is_drawn)
		draw(progress, cycle, true);
}

_printf_(2, 3) static void note(struct progress *progress, const char *format, ...)
{
	char line[LINE_MAX_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	tty_print_line(&progress->tty, line);
}

/* What whoever started the cycle knows already. */
static void print_for_watchers(struct progress *progress, const struct cycle *cycle,
			       const struct record *record)
{
	switch (record->type) {
	case RECORD_CYCLE:
		note(progress, "Cycle %" PRIu64 " begins: %s.", cycle->head.number,
		     cycle->head.trigger);
		break;
	case RECORD_PHASE:
		note(progress, "Phase: %s.", record->text);
		break;
	case RECORD_KEPT_SUSPENDED:
		note(progress, "Guests stay down until 'pmcoord resume-all'.");
		break;
	case RECORD_END:
		note(progress, "Cycle %" PRIu64 " is over: %s%s%s.", cycle->head.number,
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
		note(progress, "giving up: %s", record->text);
	else if (record->type == RECORD_NOTE)
		note(progress, "note: %s", record->text);
	else if (record->type == RECORD_SLEPT)
		note(progress, "   awake again");
	else if (record->type == RECORD_AWAKE)
		note(progress, "not asleep: %s", record->text);
	else if (progress->watches)
		print_for_watchers(progress, cycle, record);
	else if (record->type == RECORD_PHASE)
		take_phase(progress, cycle, record->text);
}

static size_t count_acting(const struct cycle *cycle)
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
		snprintf(progress->status, sizeof(progress->status), "%zu of %zu guests are down.",
			 progress->n_suspended, count_acting(cycle));
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
