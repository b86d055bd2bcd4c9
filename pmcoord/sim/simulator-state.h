/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_STATE_H
#define PMCOORD_SIM_SIMULATOR_STATE_H

/*
 * Saves and loads the simulated machine: the clock, the guests' states and the
 * scheduled events. They last from one command to the next, as in Xen.
 */

#include "sim/simulator-machine.h"

/* Writes the file simulator->state_path; does nothing if the path is NULL. */
void sim_state_save(const struct simulator *simulator);

/*
 * Reads the file simulator->state_path, up to the first line that does not fit
 * the scenario. What was not read stays as the scenario describes it. Reads
 * nothing if the path is NULL or the file is missing. Returns 0, or -1 without
 * memory.
 */
int sim_state_load(struct simulator *simulator);

#endif
