/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_H
#define PMCOORD_SIM_SIMULATOR_H

/*
 * A hypervisor that is a file: guests, links, latencies and misbehaviour, on a
 * virtual clock. The engine runs the same plan on it as on Xen; it can touch
 * nothing of the host. The scenario's syntax is in pmcoord-scenario(5).
 */

#include "pmcoord/error.h"
#include "model/hypervisor.h"
#include "model/loop.h"
#include "model/sleeper.h"

/*
 * Reads a scenario. `state_path`, where the guests' states are kept from one
 * command to the next, may be NULL: then nothing is kept. The simulator is
 * the hypervisor and, with the virtual clock, the loop and the host's sleep:
 * ret_loop and ret_sleeper live as long as the hypervisor and are freed with
 * it. Returns 0, or negative with `error` naming file and line.
 */
int simulator_open(const char *path, const char *state_path, struct hypervisor **ret_hypervisor,
		   struct loop **ret_loop, struct sleeper **ret_sleeper, struct error *error);

/*
 * How often a verb has been called so far, by the name that Fail= knows it by;
 * and the i-th of these names, NULL behind the last. For tests that let each
 * call fail once.
 */
uint64_t simulator_calls(struct hypervisor *hypervisor, const char *verb);
const char *simulator_verb(size_t i);

#endif
