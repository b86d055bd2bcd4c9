/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/progress.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "pmcoord/report.h"

/* Entries that the catalogue (hooks/pmcoord.catalog) explains. */
#define MESSAGE_ID_CYCLE "a1d7c0f4c7b74d0c8f6a4d2f5f3c9e10"
#define MESSAGE_ID_GUEST "a1d7c0f4c7b74d0c8f6a4d2f5f3c9e11"

void progress_init(struct progress *progress, bool quiet, bool verbose,
		   bool notify)
{
	struct stat st;
	bool is_file = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);

	*progress = (struct progress){
		.print = !quiet && !is_file,
		.verbose = verbose,
		.notify = notify,
	};
	if (progress->print)
		setvbuf(stdout, NULL, _IOLBF, 0);
}

/* What a record means to a person; NULL where it goes without saying. */
static const char *words_for(enum record_type type, bool verbose)
{
	switch (type) {
	case RECORD_REQUEST:
		return verbose ? "asked" : NULL;
	case RECORD_QUIESCED:
		return verbose ? "quiesced" : NULL;
	case RECORD_DOWN:
		return "down";
	case RECORD_PAUSED:
		return "paused";
	case RECORD_GONE:
		return "gone";
	case RECORD_FAIL:
		return "failed";
	case RECORD_STRANDED:
		return "NOT RESUMED";
	case RECORD_RUNNING:
		return "running";
	case RECORD_READY:
		return "ready";
	case RECORD_DEGRADED:
		return "degraded";
	default:
		return NULL;
	}
}

/* Since when a person counts: the first request, or the wake. */
static int64_t counting_from(const struct cycle *cycle)
{
	for (size_t i = cycle->n_phases; i-- > 0;) {
		const struct cycle_phase *phase = &cycle->phases[i];

		if (strcmp(phase->name, "suspend") == 0 ||
		    strcmp(phase->name, "resume") == 0)
			return phase->start_us;
	}
	return 0;
}

static void print_guest(const struct progress *progress,
			const struct cycle *cycle, const struct record *record)
{
	const struct cycle_guest *guest = &cycle->guests[record->guest];
	const char *words = words_for(record->type, progress->verbose);

	if (!words)
		return;
	printf("%8.1f ms  %-16s %s%s%s\n",
	       (double)((int64_t)(record->at_us - cycle->base_us) -
			counting_from(cycle)) /
		       1000.0,
	       guest->name, words, record->text && record->text[0] ? ": " : "",
	       record->text ? record->text : "");
}

static size_t count_acting(const struct cycle *cycle)
{
	size_t n = 0;

	for (size_t i = 0; i < cycle->n_guests; i++)
		n += cycle->guests[i].mechanism != MECHANISM_NONE;
	return n;
}

static bool concerns_guest(enum record_type type)
{
	return words_for(type, true) != NULL;
}

void progress_observe(void *data, const struct cycle *cycle,
		      const struct record *record)
{
	struct progress *progress = data;

	if (record->type == RECORD_DOWN || record->type == RECORD_PAUSED)
		progress->n_down++;
	if (progress->print && concerns_guest(record->type))
		print_guest(progress, cycle, record);
	if (progress->print && record->type == RECORD_ABORT)
		printf("giving up: %s\n", record->text);
	if (progress->print && record->type == RECORD_SLEPT)
		printf("   awake again\n");
	if (progress->print && record->type == RECORD_AWAKE)
		printf("not asleep: %s\n", record->text);
	if (progress->notify &&
	    (record->type == RECORD_DOWN || record->type == RECORD_PAUSED))
		sd_notifyf(0, "STATUS=%zu of %zu guests are down.",
			   progress->n_down, count_acting(cycle));
	if (progress->notify && record->type == RECORD_PHASE)
		sd_notifyf(0, "STATUS=Phase: %s.", record->text);
}

static const char *text_of(struct json_object *object, const char *key)
{
	const char *text =
		json_object_get_string(json_object_object_get(object, key));

	return text ? text : "";
}

static void log_guest(struct json_object *guest, const char *cycle)
{
	const char *outcome = text_of(guest, "outcome");
	const char *detail = text_of(guest, "detail");
	bool bad = strcmp(outcome, "failed") == 0 ||
		   strcmp(outcome, "paused") == 0 ||
		   json_object_get_boolean(
			   json_object_object_get(guest, "degraded"));

	if (!bad)
		return;
	sd_journal_send("MESSAGE=Guest '%s': %s%s%s", text_of(guest, "name"),
			outcome, detail[0] ? ": " : "", detail, "PRIORITY=%i",
			LOG_WARNING, "MESSAGE_ID=" MESSAGE_ID_GUEST,
			"PMCOORD_DOMAIN=%s", text_of(guest, "name"),
			"PMCOORD_STEP=%s", outcome, "PMCOORD_CYCLE=%s", cycle,
			NULL);
}

void progress_log_cycle(struct json_object *report)
{
	struct json_object *guests = json_object_object_get(report, "guests");
	const char *result = text_of(report, "result");
	const char *detail = text_of(report, "detail");
	const char *cycle = text_of(report, "cycle");

	sd_journal_send("MESSAGE=Cycle %s: %s%s%s", cycle, result,
			detail[0] ? ": " : "", detail, "PRIORITY=%i",
			report_result(report) == RESULT_OK ? LOG_INFO
							   : LOG_WARNING,
			"MESSAGE_ID=" MESSAGE_ID_CYCLE, "PMCOORD_CYCLE=%s",
			cycle, "PMCOORD_STEP=%s", result, NULL);
	for (size_t i = 0; guests && i < json_object_array_length(guests); i++)
		log_guest(json_object_array_get_idx(guests, i), cycle);
}
