/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_REPORT_FILE_H
#define PMCOORD_RECORD_REPORT_FILE_H

/* Reports on disk: <directory>/<number of the cycle>.json. */

#include <stdint.h>

#include "pmcoord/error.h"
#include "record/report.h"

/*
 * Writes the report completely or not at all. Creates the directory if needed.
 * Then removes old reports, but keeps the newest `keep` reports and this report.
 * Returns 0, or a negative errno with `error` set.
 */
int report_save(const char *directory, const struct report *report, uint64_t keep,
		struct error *error);

/*
 * Reads the report of cycle `number`, or the newest report if `number` is 0. Returns
 * 0, or a negative errno with `error` set: -ENOENT if there is no such report,
 * -EBADMSG if the file is not a report (see report_parse). Release:
 * report_free.
 */
int report_load(const char *directory, uint64_t number, struct report **ret_report,
		struct error *error);

/*
 * Lists the numbers of the cycles that have a report, ascending. Returns how
 * many there are, 0 if there is no directory, or a negative errno. The caller
 * frees the array.
 */
int report_list(const char *directory, uint64_t **ret_numbers);

/* Removes the report of cycle `number`. Returns 0 or a negative errno. */
int report_remove(const char *directory, uint64_t number);

/* Returns the number of the newest report; 0 if there is none. */
uint64_t report_last_number(const char *directory);

#endif
