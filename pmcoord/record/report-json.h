/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_REPORT_JSON_H
#define PMCOORD_RECORD_REPORT_JSON_H

/*
 * A report as JSON: for its file, for --json and for the bus. A moment that was
 * not reached is null. Pure: no I/O but to the stream.
 */

#include <stdio.h>

#include "record/report.h"

/*
 * Formats the report, on one line without a newline. The text is the caller's.
 * Returns 0 or -ENOMEM.
 */
int report_format(const struct report *report, char **ret_text);

/* Prints the report, indented. Returns 0, -ENOMEM or -EIO. */
int report_print_json(const struct report *report, FILE *out);

/*
 * Reads a report. Its cycle, its result, and the mechanism and outcome of each
 * guest must be known to this version; any other value that is missing or wrong
 * is read as empty, false or MOMENT_NEVER. Moments later than ten years are
 * MOMENT_NEVER, so that sums and differences of any two are safe. Returns 0,
 * -EBADMSG or -ENOMEM. Release: report_free.
 */
int report_parse(const char *text, struct report **ret_report);
int report_read(int fd, struct report **ret_report);

#endif
