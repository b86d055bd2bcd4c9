/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_VIEW_SHOW_H
#define PMCOORD_VIEW_SHOW_H

/* Prints the output of `pmcoord list` and `pmcoord plan`, as text or JSON. */

#include <stdbool.h>
#include <stdio.h>

#include "model/config.h"
#include "model/plan.h"

/*
 * Prints the guests of the plan, sorted by domid. Returns 0 or a negative
 * errno.
 */
int show_list(const struct plan *plan, const struct config *config, bool json, FILE *out);

/*
 * Prints the steps of the plan in suspend order and in resume order, the
 * skipped guests with their reasons, and the graph's warnings. Returns 0 or a
 * negative errno.
 */
int show_plan(const struct plan *plan, bool json, FILE *out);

#endif
