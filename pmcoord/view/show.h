/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_SHOW_H
#define PMCOORD_VIEW_SHOW_H

/* What `pmcoord list` and `pmcoord plan` print. */

#include <stdbool.h>
#include <stdio.h>

#include "model/config.h"
#include "model/plan.h"

/*
 * Prints the guests by domid: as one JSON object, or as a table. Returns 0 or a
 * negative errno.
 */
int show_list(const struct plan *plan, const struct config *config, bool json, FILE *out);

/*
 * Prints the acting steps of the plan in suspend order, and those of the way
 * back in the opposite order; then who is left alone, and why, and circles that
 * were cut. Returns 0 or a negative errno.
 */
int show_plan(const struct plan *plan, bool json, FILE *out);

#endif
