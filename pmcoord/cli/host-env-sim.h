/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_HOST_ENV_SIM_H
#define PMCOORD_CLI_HOST_ENV_SIM_H

#include <stdbool.h>

#include "pmcoord/error.h"
#include "engine/host-env.h"

/*
 * Creates a simulated host, which the scenario file `scenario` (borrowed)
 * describes. Each scenario file has its own directory for the host's state,
 * journals and reports. Opening the host prints to stderr that the host is
 * simulated, unless `quiet`.
 *
 * Returns 0, or a negative errno with `error` set: OUTCOME_USAGE if the file
 * cannot be read or another user owns the directory. Release: host_env_free.
 */
int host_env_sim_new(const char *scenario, bool quiet, struct host_env **ret_env,
		     struct error *error);

#endif
