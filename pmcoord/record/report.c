/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/report.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/* ---- making ------------------------------------------------------------- */

/*
 * Copies as many whole characters of a text as fit. Bytes that are not
 * printable UTF-8, e.g. half a character at the end of the text, become '?'.
 */
static void copy_text(char *ret, size_t size, const char *text)
{
	text_sanitize(text, strlen(text), ret, size);
}

static void copy_guest(const struct cycle_guest *guest, struct report_guest *ret)
{
	*ret = (struct report_guest){
		.domid = guest->domid,
		.mechanism = guest->mechanism,
		/*
		 * A pending guest is reported as skipped, because the cycle
		 * ended before the guest's step.
		 */
		.outcome = guest->outcome == OUTCOME_PENDING ? OUTCOME_SKIPPED : guest->outcome,
		.degraded = guest->degraded,
		.stranded = guest->stranded,
		.taken_by_another = guest->taken,
		.gone = guest->gone,
		.appeared = guest->appeared,
		.ran_through = guest->ran_through,
		.requested_us = guest->requested_us,
		.quiesced_us = guest->quiesced_us,
		.down_us = guest->down_us,
		.resume_us = guest->resume_us,
		.running_us = guest->running_us,
		.ready_us = guest->ready_us,
	};
	copy_text(ret->name, sizeof(ret->name), guest->name);
	memcpy(ret->uuid, guest->uuid, sizeof(ret->uuid));
	copy_text(ret->detail, sizeof(ret->detail), guest->detail);
}

static int copy_lists(const struct cycle *cycle, struct report *report)
{
	int r = 0;

	report->phases = calloc(cycle->n_phases + 1, sizeof(*report->phases));
	report->guests = calloc(cycle->n_guests + 1, sizeof(*report->guests));
	if (!report->phases || !report->guests)
		return -ENOMEM;
	for (size_t i = 0; i < cycle->n_phases; i++)
		report->phases[report->n_phases++] = cycle->phases[i];
	for (size_t i = 0; i < cycle->n_guests; i++)
		copy_guest(&cycle->guests[i], &report->guests[report->n_guests++]);
	for (size_t i = 0; i < cycle->n_warnings && r == 0; i++)
		r = string_list_add(&report->warnings, cycle->warnings[i],
				    strlen(cycle->warnings[i]));
	return r;
}

int report_new(const struct cycle *cycle, struct report **ret_report)
{
	_cleanup_(report_freep) struct report *report = calloc(1, sizeof(*report));
	int r;

	assert(cycle);
	assert(ret_report);
	if (!report)
		return -ENOMEM;
	report->cycle = cycle->head.number;
	moment_format(cycle->head.started_us, report->started);
	report->result = cycle_result(cycle);
	copy_text(report->trigger, sizeof(report->trigger), cycle->head.trigger);
	copy_text(report->detail, sizeof(report->detail), cycle->detail);
	report->kept_suspended = cycle->kept_suspended && cycle_count_holds(cycle) > 0;
	report->slept_us = cycle->slept_us;
	copy_text(report->slept_in, sizeof(report->slept_in), cycle->slept_in);
	copy_text(report->woken_by, sizeof(report->woken_by), cycle->woken_by);
	copy_text(report->lid, sizeof(report->lid), cycle->lid);
	report->has_battery = cycle->has_battery;
	report->battery_before = cycle->battery_before;
	report->battery_after = cycle->battery_after;
	report->written_bytes = cycle->written_bytes;
	r = copy_lists(cycle, report);
	if (cycle->n_damaged > 0)
		report_warn(report, "lines of the cycle's journal that are damaged: %zu",
			    cycle->n_damaged);
	if (cycle->n_unwritten > 0)
		report_warn(report,
			    "lines that could not be written to the cycle's journal: %zu: %s",
			    cycle->n_unwritten, strerror(-cycle->write_error));
	if (r == 0)
		*ret_report = TAKE_PTR(report);
	return r;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	free(report->phases);
	free(report->guests);
	string_list_done(&report->warnings);
	free(report);
}

void report_warn(struct report *report, const char *format, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		text = NULL;
	else
		string_list_add(&report->warnings, text, (size_t)length);
}

void report_freep(struct report **report)
{
	report_free(*report);
	*report = NULL;
}

/* ---- judging ------------------------------------------------------------ */

enum guest_verdict report_guest_verdict(const struct report_guest *guest)
{
	assert(guest);
	return guest_verdict(guest->outcome, guest->degraded, guest->stranded);
}

const struct report_guest *report_slowest(const struct report *report)
{
	const struct report_guest *slowest = NULL;
	int64_t longest = MOMENT_NEVER;

	assert(report);
	for (size_t i = 0; i < report->n_guests; i++) {
		int64_t time_us = report_guest_suspend_us(&report->guests[i]);

		if (time_us <= longest)
			continue;
		longest = time_us;
		slowest = &report->guests[i];
	}
	return slowest;
}

const struct report_guest *report_stranded(const struct report *report)
{
	assert(report);
	for (size_t i = 0; i < report->n_guests; i++)
		if (report_guest_verdict(&report->guests[i]) == VERDICT_STRANDED)
			return &report->guests[i];
	return NULL;
}

const struct report_guest *report_find_guest(const struct report *report, const char *name)
{
	assert(report);
	assert(name);
	for (size_t i = 0; i < report->n_guests; i++)
		if (strcmp(report->guests[i].name, name) == 0)
			return &report->guests[i];
	return NULL;
}

/*
 * Returns the first guest with the worst verdict; NULL if all verdicts are
 * VERDICT_OK.
 */
static const struct report_guest *find_worst(const struct report *report)
{
	enum guest_verdict worst = VERDICT_OK;
	const struct report_guest *found = NULL;

	for (size_t i = 0; i < report->n_guests; i++) {
		enum guest_verdict verdict = report_guest_verdict(&report->guests[i]);

		if (verdict <= worst)
			continue;
		worst = verdict;
		found = &report->guests[i];
	}
	return found;
}

static const char *describe_verdict(const struct report_guest *guest)
{
	enum guest_verdict verdict = report_guest_verdict(guest);

	if (guest->gone != GUEST_NOT_ENDED)
		return "is gone";
	switch (verdict) {
	case VERDICT_OK:
		return "is ok";
	case VERDICT_DEGRADED:
		return "is degraded";
	case VERDICT_PAUSED:
		return "was paused";
	case VERDICT_FAILED:
		return "failed";
	case VERDICT_STRANDED:
		break;
	}
	if (guest->outcome == OUTCOME_SUSPENDED)
		return "is still suspended";
	return guest->outcome == OUTCOME_PAUSED ? "is still paused" : "does not run";
}

/* Appends the names of the guests, but `except`, whose verdict is not VERDICT_OK. */
static void name_others(const struct report *report, const struct report_guest *except, char *ret,
			size_t size)
{
	bool any = false;

	for (size_t i = 0; i < report->n_guests; i++) {
		const struct report_guest *guest = &report->guests[i];
		size_t used = strlen(ret);

		if (guest == except || report_guest_verdict(guest) == VERDICT_OK)
			continue;
		snprintf(ret + used, size - used, "%s%s", any ? ", " : "; also ", guest->name);
		any = true;
	}
}

void report_explain(const struct report *report, char *ret, size_t size)
{
	const struct report_guest *guest;
	int length;

	assert(report);
	assert(ret);
	assert(size > 0);
	ret[0] = '\0';
	if (report->result == RESULT_OK)
		return;
	length = snprintf(ret, size, "cycle %" PRIu64 " %s%s%s", report->cycle,
			  cycle_result_name(report->result), report->detail[0] ? ": " : "",
			  report->detail);
	/* The detail of a failed cycle is the whole reason, so no guest is added. */
	if (report->detail[0] && report->result == RESULT_FAILED)
		return;
	guest = find_worst(report);
	if (guest && (size_t)length < size) {
		snprintf(ret + length, size - (size_t)length, ": %s %s: %s", guest->name,
			 describe_verdict(guest), guest->detail);
		name_others(report, guest, ret, size);
	}
	/* The last warnings are those about the journal. */
	if (!guest && !report->detail[0] && report->warnings.n > 0 && (size_t)length < size)
		snprintf(ret + length, size - (size_t)length, ": %s",
			 report->warnings.texts[report->warnings.n - 1]);
}

/* ---- measuring ---------------------------------------------------------- */

int64_t report_guest_suspend_us(const struct report_guest *guest)
{
	assert(guest);
	return span_between(guest->requested_us, guest->down_us);
}

int64_t report_suspend_end_us(const struct report *report)
{
	assert(report);
	for (size_t i = 0; i < report->n_phases; i++) {
		const struct cycle_phase *phase = &report->phases[i];

		if (strcmp(phase->name, "suspend") == 0 && phase->start_us != MOMENT_NEVER &&
		    phase->duration_us != MOMENT_NEVER)
			return phase->start_us + phase->duration_us;
	}
	return MOMENT_NEVER;
}

int64_t report_resume_start_us(const struct report *report, const struct report_guest *guest)
{
	int64_t found = MOMENT_NEVER;

	assert(report);
	assert(guest);
	for (size_t i = 0; i < report->n_phases; i++) {
		const struct cycle_phase *phase = &report->phases[i];

		if (strcmp(phase->name, "resume") == 0 && phase->start_us != MOMENT_NEVER &&
		    phase->start_us <= guest->running_us)
			found = phase->start_us;
	}
	return found;
}
