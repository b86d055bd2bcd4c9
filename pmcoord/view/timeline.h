/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_TIMELINE_H
#define PMCOORD_VIEW_TIMELINE_H

/*
 * Draws a cycle as a picture: a bar for each guest's suspend and a bar for its
 * resume.
 */

#include "pmcoord/error.h"
#include "record/report.h"

/*
 * Writes the timeline of a report as a self-contained SVG file; the path "-" is
 * standard output. Returns 0, or a negative errno with `error` set.
 */
int timeline_write(const struct report *report, const char *path, struct error *error);

#endif
