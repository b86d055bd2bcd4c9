/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_SCENARIO_H
#define PMCOORD_SIM_SIMULATOR_SCENARIO_H

/* Parses scenario files, see pmcoord-scenario(5). */

#include "pmcoord/error.h"
#include "sim/simulator-machine.h"

/*
 * Fills a machine that sim_machine_init has set up. Returns 0, or a negative
 * errno with `error` naming file, line and problem; all syntax errors at once.
 */
int sim_scenario_load(struct simulator *simulator, const char *path, struct error *error);

#endif
