/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_STATE_H
#define PMCOORD_SIM_SIMULATOR_STATE_H

/*
 * Keeps the simulated machine between two commands, as Xen would: the clock,
 * the guests' states and the scheduled events.
 */

#include "sim/simulator-machine.h"

/* Writes simulator->state_path; a no-op where that is NULL. */
void sim_state_save(const struct simulator *simulator);

/*
 * Reads simulator->state_path. Reading ends at the first line that does not fit
 * the scenario; what was not read (all, where the file is missing) stays as the
 * scenario describes it. Returns 0 or -ENOMEM.
 */
int sim_state_load(struct simulator *simulator);

#endif
