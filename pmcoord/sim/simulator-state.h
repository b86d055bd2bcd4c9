/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_STATE_H
#define PMCOORD_SIM_SIMULATOR_STATE_H

/*
 * What lasts from one command to the next, as Xen would keep it: the clock, the
 * guests' states, and what is going to happen to them.
 */

#include "sim/simulator-machine.h"

/* To, and from, simulator->state_path; nothing where that is NULL. */
void sim_state_save(const struct simulator *simulator);

/*
 * A file that is not there, or not of this scenario, leaves the machine as the
 * scenario describes it, as far as it says nothing. Returns 0 or -ENOMEM.
 */
int sim_state_load(struct simulator *simulator);

#endif
