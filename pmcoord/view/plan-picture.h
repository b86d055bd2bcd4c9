/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_PLAN_PICTURE_H
#define PMCOORD_VIEW_PLAN_PICTURE_H

/* A plan as a picture: an arrow leads from each guest to whom waits for it. */

#include <stdio.h>

#include "pmcoord/error.h"
#include "model/plan.h"

/* For graphviz. Returns 0 or a negative errno. */
int plan_write_dot(const struct plan *plan, FILE *out);

/*
 * As an SVG file that needs nothing else; "-" is standard output. Returns 0 or
 * a negative errno with `error` set.
 */
int plan_write_svg(const struct plan *plan, const char *path, struct error *error);

#endif
