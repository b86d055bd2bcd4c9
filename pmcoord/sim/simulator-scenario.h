/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_SCENARIO_H
#define PMCOORD_SIM_SIMULATOR_SCENARIO_H

/* Scenario files, as pmcoord-scenario(5) describes them. */

#include "pmcoord/error.h"
#include "sim/simulator-machine.h"

/*
 * Sets up a machine that sim_machine_init has made. Returns 0, or negative with
 * `error` naming file, line and problem (all problems at once, where lines are
 * broken).
 */
int sim_scenario_load(struct simulator *simulator, const char *path, struct error *error);

#endif
