/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_REPORT_TEXT_H
#define PMCOORD_VIEW_REPORT_TEXT_H

/* A report for people. */

#include <stdio.h>

#include <json-c/json.h>

/*
 * Prints the report of a cycle: how it went, a line per guest, the slowest, the
 * phases, and what went wrong. `directory` holds the reports of earlier cycles,
 * from which the expected times come; NULL: none are shown. Returns 0 or a
 * negative errno.
 */
int report_print(struct json_object *report, const char *directory, FILE *out);

#endif
