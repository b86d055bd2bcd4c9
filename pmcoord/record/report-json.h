/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_REPORT_JSON_H
#define PMCOORD_RECORD_REPORT_JSON_H

/*
 * Reports as JSON: in files, for --json and for D-Bus. A moment that was not
 * reached is null. No I/O except on the caller's stream or descriptor.
 */

#include <stdio.h>

#include "record/report.h"

/*
 * Formats the report on one line, without a newline. The caller frees the text.
 * Returns 0 or -ENOMEM.
 */
int report_format(const struct report *report, char **ret_text);

/* Prints the report with indentation. Returns 0, -ENOMEM or -EIO. */
int report_print_json(const struct report *report, FILE *out);

/*
 * Reads a report from a text. The text must contain a positive cycle number and
 * a list of guests. The cycle's result and each guest's mechanism and
 * outcome must be known to this version. Any other value that is missing or
 * wrong is read as empty, false, 0 or MOMENT_NEVER. Moments more than ten years
 * after the start of the cycle are read as MOMENT_NEVER, so that sums and
 * differences of two moments cannot overflow. Returns 0, -EBADMSG or -ENOMEM.
 * Release: report_free.
 */
int report_parse(const char *text, struct report **ret_report);
/* Like report_parse, but reads the text from the descriptor `fd`. */
int report_read(int fd, struct report **ret_report);

#endif
