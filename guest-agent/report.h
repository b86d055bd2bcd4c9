/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_REPORT_H
#define GUEST_AGENT_REPORT_H

#include <stdbool.h>

#include "engine/engine.h"
#include "engine/self-test.h"

/* What people and scripts see on stdout. All return 0 or negative errno. */

/* What a cycle would freeze, unbind and keep, and why. Changes nothing. */
int report_plan(const struct engine_setup *setup, bool json, struct error *error);

/* What the running agent has published, and how its last cycle ended. */
int report_status(const struct engine_setup *setup, bool json, struct error *error);

/* How a --test went. */
int report_self_test(const struct self_test_result *result, const struct engine *engine, bool json);

#endif
