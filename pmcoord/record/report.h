/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_REPORT_H
#define PMCOORD_RECORD_REPORT_H

/*
 * What a cycle came to, as JSON: one file per cycle in the reports' directory.
 * Times are µs since the cycle's start (CLOCK_BOOTTIME); a moment that was not
 * reached is null.
 */

#include <json-c/json.h>

#include "model/cycle.h"
#include "pmcoord/error.h"

/*
 * Makes the report of a cycle as it stands; the caller's reference. Reads no
 * file: it runs right after the wake. Returns 0 or -ENOMEM.
 */
int report_make(const struct cycle *cycle, struct json_object **ret_report);

/*
 * Writes <directory>/<cycle>.json, whole or not at all, and makes the directory
 * if needed. Then removes all reports but the newest `keep`; this one stays.
 * Returns 0 or a negative errno with `error` set.
 */
int report_save(const char *directory, struct json_object *report, uint64_t keep,
		struct error *error);

/*
 * Reads the report of a cycle, 0 for the newest; the caller's reference.
 * Returns 0, -ENOENT, -EBADMSG for a file that is no report, or another
 * negative errno, with `error` set.
 */
int report_load(const char *directory, uint64_t number, struct json_object **ret_report,
		struct error *error);

/*
 * Lists the cycles that have a report, ascending. The array is the caller's.
 * Returns how many, or a negative errno; no directory is none.
 */
int report_list(const char *directory, uint64_t **ret_numbers);

/* The number of the newest report, 0 if there is none. */
uint64_t report_last_number(const char *directory);

/* The result; RESULT_FAILED for one that is not known. */
enum cycle_result report_result(struct json_object *report);

/*
 * Who or what kept the cycle from being ok, in one sentence: "cycle 3 degraded:
 * mail was paused: did not suspend within 10 s". Nothing is written for a cycle
 * that was ok.
 */
void report_blame(struct json_object *report, char *ret, size_t size);

/* A guest that could not be brought back, borrowed, or NULL. */
const char *report_stranded(struct json_object *report);

/*
 * A time of a report, guest or phase in µs; CYCLE_NEVER for null and for what
 * cannot be, so that sums and differences of any two are safe.
 */
int64_t report_time(struct json_object *object, const char *key);

/* From one moment to a later one; CYCLE_NEVER if either was not reached. */
int64_t report_span(int64_t from_us, int64_t to_us);

/* The i-th guest or phase, borrowed; NULL behind the last. */
struct json_object *report_guest(struct json_object *report, size_t i);
struct json_object *report_phase(struct json_object *report, size_t i);

/*
 * When the resume that brought `guest` back began: a cycle that is held can
 * have several. CYCLE_NEVER if none did.
 */
int64_t report_resume_start(struct json_object *report, struct json_object *guest);

#endif
