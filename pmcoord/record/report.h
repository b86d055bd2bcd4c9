/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_REPORT_H
#define PMCOORD_RECORD_REPORT_H

/*
 * The report of a cycle: when each guest was requested, suspended and resumed,
 * and what went wrong. Made from the cycle's records, or read from a file. Pure:
 * no I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/moment.h"
#include "base/string-list.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"

/* Times are µs since the start of the cycle; MOMENT_NEVER: not reached. */
struct report_guest {
	char name[GUEST_NAME_MAX];
	uint32_t domid;
	uint8_t uuid[GUEST_UUID_SIZE];
	enum mechanism mechanism;
	enum cycle_outcome outcome; /* never OUTCOME_PENDING */
	char detail[CYCLE_DETAIL_MAX];
	bool degraded;
	bool stranded;
	bool gone;
	int64_t requested_us, quiesced_us, down_us;
	int64_t resume_us, running_us, ready_us;
};

struct report {
	uint64_t cycle; /* > 0 */
	char started[MOMENT_TEXT_SIZE]; /* see moment_format */
	enum cycle_result result;
	char trigger[16];
	char detail[CYCLE_DETAIL_MAX];
	bool kept_suspended; /* guests are, until they are resumed */
	int64_t slept_us; /* MOMENT_NEVER: the host did not sleep */
	int64_t written_bytes; /* MOMENT_NEVER: not measured */
	struct cycle_phase *phases;
	size_t n_phases;
	struct string_list warnings;
	struct report_guest *guests; /* in suspend order */
	size_t n_guests;
};

/*
 * Makes the report of a cycle as it is now. Copies everything; reads no file, so
 * that it can run right after the wake. Returns 0 or -ENOMEM. Release:
 * report_free.
 */
int report_new(const struct cycle *cycle, struct report **ret_report);
void report_free(struct report *report);
void report_freep(struct report **report);

/* The one judgement of a guest: all messages, tables and logs follow it. */
enum guest_verdict report_guest_verdict(const struct report_guest *guest);

/*
 * The guest whose suspend took longest, and the first that could not be resumed;
 * borrowed, NULL if there is none.
 */
const struct report_guest *report_slowest(const struct report *report);
const struct report_guest *report_stranded(const struct report *report);

/* By its name; borrowed, NULL if there is none. */
const struct report_guest *report_find_guest(const struct report *report, const char *name);

/*
 * Writes why the cycle is not ok, in one sentence: "cycle 3 degraded: mail was
 * paused: did not suspend within 10 s". Writes "" for a cycle that is ok.
 */
void report_explain(const struct report *report, char *ret, size_t size);

/* How long the guest took from its request to its suspension; MOMENT_NEVER. */
int64_t report_guest_suspend_us(const struct report_guest *guest);

/* When the phase that suspends guests ended; MOMENT_NEVER. */
int64_t report_suspend_end_us(const struct report *report);

/*
 * When the resume began that made `guest` run: guests that were kept suspended
 * can be resumed by several. MOMENT_NEVER if it does not run.
 */
int64_t report_resume_start_us(const struct report *report, const struct report_guest *guest);

#endif
