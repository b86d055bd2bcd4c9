/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_STATE_H
#define PMCOORD_SIM_SIMULATOR_STATE_H

/*
 * Saves and loads the simulated machine, so that it outlives a command: the clock,
 * the guests' states and the scheduled events.
 */

#include "sim/simulator-machine.h"

/*
 * Writes the file simulator->state_path; does nothing if the path is NULL. A process
 * that is killed meanwhile leaves the former file.
 */
void sim_state_save(const struct simulator *simulator);

/*
 * Reads the file simulator->state_path, up to the first line that does not fit
 * the scenario. The rest of the machine stays as in the scenario. Reads nothing
 * if the path is NULL or the file is missing. Returns 0, or -1 when out of
 * memory.
 */
int sim_state_load(struct simulator *simulator);

#endif
