/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_TIMELINE_H
#define PMCOORD_VIEW_TIMELINE_H

/* A cycle as a picture: who was going down or coming back at which moment. */

#include <json-c/json.h>

#include "pmcoord/error.h"

/*
 * Writes the timeline of a report as an SVG file that needs nothing else; "-"
 * is standard output. Returns 0 or a negative errno with `error` set.
 */
int timeline_write(struct json_object *report, const char *path, struct error *error);

#endif
