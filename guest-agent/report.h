/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_REPORT_H
#define GUEST_AGENT_REPORT_H

#include <stdbool.h>

#include "pmcoord/error.h"
#include "engine/engine.h"
#include "engine/self-test.h"

/*
 * Prints the output of --dry-run, --status and --test to stdout, as text or as JSON. All
 * functions return 0 or negative errno.
 */

/* Prints what a cycle would stop and keep, and why. Stops nothing. */
int report_plan(const struct engine_setup *setup, bool json, struct error *error);

/* Prints what the running agent has published, and the final state of its last cycle. */
int report_status(const struct engine_setup *setup, bool json, struct error *error);

/* Prints the result of a self-test, and the duration of each step. */
int report_self_test(const struct self_test_result *result, const struct engine *engine, bool json);

#endif
