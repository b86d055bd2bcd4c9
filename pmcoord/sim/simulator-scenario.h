/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_SCENARIO_H
#define PMCOORD_SIM_SIMULATOR_SCENARIO_H

/* Reads scenario files, see pmcoord-scenario(5). */

#include "pmcoord/error.h"
#include "sim/simulator-machine.h"

/*
 * Fills a machine that sim_machine_init has set up. Returns 0, or a negative
 * errno with `error` set. The error names the file, and each line with a syntax
 * error.
 */
int sim_scenario_load(struct simulator *simulator, const char *path, struct error *error);

#endif
