/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_REPORT_TEXT_H
#define PMCOORD_VIEW_REPORT_TEXT_H

/* Prints a report as text. */

#include <stdio.h>

#include "record/report.h"

/*
 * Prints the report of a cycle: its result, a line per guest, the slowest
 * guest, the phases, and what went wrong. Expected times are computed from the
 * earlier reports in `directory`. If `directory` is NULL, no expected times are
 * shown. Returns 0, -ENOMEM or -EIO.
 */
int report_print(const struct report *report, const char *directory, FILE *out);

#endif
