/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_H
#define PMCOORD_SIM_SIMULATOR_H

/*
 * A simulated hypervisor, described by a scenario file: guests, links,
 * latencies and faults, on a virtual clock. The engine executes the same plan
 * as on Xen; the simulator cannot change anything of the host. For the
 * scenario's syntax see pmcoord-scenario(5).
 */

#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/hypervisor.h"
#include "model/loop.h"
#include "model/sleeper.h"

/*
 * Reads a scenario. The file `state_path` keeps the guests' states between two
 * commands; NULL: they are not kept. The simulator is hypervisor, loop (with
 * the virtual clock) and sleeper in one: *ret_loop and *ret_sleeper are freed
 * with the hypervisor. Returns 0, or a negative errno with `error` set.
 */
int simulator_open(const char *path, const char *state_path, struct hypervisor **ret_hypervisor,
		   struct loop **ret_loop, struct sleeper **ret_sleeper, struct error *error);

/*
 * Returns how often a verb was called so far; 0 for an unknown verb. Verbs have
 * the names that Fail= has for them. Used by tests that make each call fail
 * once.
 */
uint64_t simulator_calls(struct hypervisor *hypervisor, const char *verb);
/* Returns the name of the i-th verb, or NULL after the last one. */
const char *simulator_verb(size_t i);

#endif
