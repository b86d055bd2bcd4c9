/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_PLAN_PICTURE_H
#define PMCOORD_VIEW_PLAN_PICTURE_H

/*
 * Pictures of a plan. An arrow leads from guest A to guest B if A must be
 * suspended before B.
 */

#include <stdio.h>

#include "pmcoord/error.h"
#include "model/plan.h"

/* Writes the plan as a graph for graphviz. Returns 0, -ENOMEM or -EIO. */
int plan_write_dot(const struct plan *plan, FILE *out);

/*
 * Writes the plan as a self-contained SVG file; the path "-" is standard
 * output. Returns 0, or a negative errno with `error` set.
 */
int plan_write_svg(const struct plan *plan, const char *path, struct error *error);

#endif
