/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_REPORT_FILE_H
#define PMCOORD_RECORD_REPORT_FILE_H

/* Reports on disk: <directory>/<cycle>.json, one file per cycle. */

#include <stdint.h>

#include "pmcoord/error.h"
#include "record/report.h"

/*
 * Writes the report, whole or not at all; makes the directory if needed. Then
 * removes all reports but the newest `keep`; this one stays. Returns 0 or a
 * negative errno with `error` set.
 */
int report_save(const char *directory, const struct report *report, uint64_t keep,
		struct error *error);

/*
 * Reads the report of a cycle, 0: the newest. Returns 0, -ENOENT if there is
 * none, -EBADMSG for a file that is no report (see report_parse), or another
 * negative errno, with `error` set. Release: report_free.
 */
int report_load(const char *directory, uint64_t number, struct report **ret_report,
		struct error *error);

/*
 * Lists the cycles that have a report, ascending. The array is the caller's.
 * Returns how many, 0 without a directory, or a negative errno.
 */
int report_list(const char *directory, uint64_t **ret_numbers);

/* The number of the newest report, 0 if there is none. */
uint64_t report_last_number(const char *directory);

#endif
