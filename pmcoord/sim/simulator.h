/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_H
#define PMCOORD_SIM_SIMULATOR_H

/*
 * A simulated hypervisor with a virtual clock. A scenario file describes its
 * guests, links, latencies and faults, see pmcoord-scenario(5). The engine
 * executes the same plan as on Xen. The simulator cannot change the host.
 */

#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/hypervisor.h"
#include "model/loop.h"
#include "model/sleeper.h"

/*
 * Reads a scenario. The file `state_path` keeps the machine's state between two
 * commands; NULL: the state is not kept. The loop has the virtual clock.
 * Closing the hypervisor also frees *ret_loop and *ret_sleeper. Returns 0, or a
 * negative errno with `error` set.
 */
int simulator_open(const char *path, const char *state_path, struct hypervisor **ret_hypervisor,
		   struct loop **ret_loop, struct sleeper **ret_sleeper, struct error *error);

/*
 * Returns how often a verb was called so far; 0 for an unknown verb. `verb` is a
 * name as in Fail=. For tests that make each call fail once.
 */
uint64_t simulator_calls(struct hypervisor *hypervisor, const char *verb);
/* Returns the name of the i-th verb, or NULL after the last verb. */
const char *simulator_verb(size_t i);

#endif
