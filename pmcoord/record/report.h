/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_REPORT_H
#define PMCOORD_RECORD_REPORT_H

/*
 * The report of a cycle: when each guest was requested, suspended and resumed,
 * and what went wrong. A report is made from the cycle's records or read from a
 * file (report-json.h). Pure: no I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/moment.h"
#include "base/string-list.h"
#include "pmcoord/cleanup.h"
#include "model/cycle.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"

/*
 * A guest in a report. Times are in µs since the start of the cycle;
 * MOMENT_NEVER: not reached.
 */
struct report_guest {
	char name[GUEST_NAME_MAX];
	uint32_t domid;
	uint8_t uuid[GUEST_UUID_SIZE];
	enum mechanism mechanism;
	enum cycle_outcome outcome; /* never OUTCOME_PENDING */
	char detail[CYCLE_DETAIL_MAX];
	bool degraded; /* e.g. a device is missing; `detail` says why */
	bool stranded; /* could not be resumed */
	bool taken_by_another; /* another program has suspended it */
	enum guest_end gone; /* how the domain has ended */
	bool appeared; /* has appeared during the cycle */
	bool ran_through; /* ran while the host slept */
	int64_t requested_us, quiesced_us, down_us;
	int64_t resume_us, running_us, ready_us;
};

struct report {
	uint64_t cycle; /* > 0 */
	char started[MOMENT_TEXT_SIZE]; /* see moment_format */
	enum cycle_result result;
	char trigger[16]; /* what started the cycle, in one word */
	char detail[CYCLE_DETAIL_MAX]; /* see struct cycle.detail */
	bool kept_suspended; /* guests are kept suspended until a command resumes them */
	int64_t slept_us; /* MOMENT_NEVER: the host did not sleep */
	char slept_in[16]; /* for this and what follows, see struct cycle */
	char woken_by[64], lid[8];
	bool has_battery;
	int battery_before, battery_after;
	int64_t written_bytes; /* MOMENT_NEVER: not measured */
	struct cycle_phase *phases;
	size_t n_phases;
	struct string_list warnings; /* of the graph: dependency loops that were broken */
	struct report_guest *guests; /* in suspend order */
	size_t n_guests;
};

/*
 * Makes the report of a cycle in its present state. Copies everything from the
 * cycle. Reads no file, because disks may not work yet right after the wake.
 * Returns 0 or -ENOMEM. Release: report_free.
 */
int report_new(const struct cycle *cycle, struct report **ret_report);
/* `report` may be NULL. */
void report_free(struct report *report);
/* Adds a warning. Left out when out of memory. */
void report_warn(struct report *report, const char *format, ...) _printf_(2, 3);
void report_freep(struct report **report);

/*
 * Returns the verdict on a guest. All messages, tables and logs use this
 * verdict.
 */
enum guest_verdict report_guest_verdict(const struct report_guest *guest);

/*
 * Returns the guest that took longest to suspend; borrowed. Returns NULL if no
 * guest was requested and then suspended or paused.
 */
const struct report_guest *report_slowest(const struct report *report);
/*
 * Returns the first guest that could not be resumed; borrowed. Returns NULL if
 * there is none.
 */
const struct report_guest *report_stranded(const struct report *report);

/* Returns the guest called `name`; borrowed. Returns NULL if there is none. */
const struct report_guest *report_find_guest(const struct report *report, const char *name);

/*
 * Writes in one sentence why the cycle is not ok, e.g. "cycle 3 degraded: mail
 * was paused: did not suspend within 10 s; also web". Writes "" if the cycle is ok.
 */
void report_explain(const struct report *report, char *ret, size_t size);

/*
 * Returns the time from the guest's request until the guest was suspended or
 * paused, in µs; MOMENT_NEVER if one of the two moments was not reached.
 */
int64_t report_guest_suspend_us(const struct report_guest *guest);

/*
 * Returns when the phase "suspend" ended, in µs since the start of the cycle;
 * MOMENT_NEVER if this phase did not end.
 */
int64_t report_suspend_end_us(const struct report *report);

/*
 * Returns the start of the phase "resume" in which `guest` was resumed, in µs
 * since the start of the cycle; MOMENT_NEVER if the guest was not resumed. A
 * cycle can have several such phases if its guests were kept suspended.
 */
int64_t report_resume_start_us(const struct report *report, const struct report_guest *guest);

#endif
