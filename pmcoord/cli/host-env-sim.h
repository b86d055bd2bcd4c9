/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_HOST_ENV_SIM_H
#define PMCOORD_CLI_HOST_ENV_SIM_H

#include <stdbool.h>

#include "pmcoord/error.h"
#include "engine/host-env.h"

/*
 * A simulated host, described by the scenario file `scenario` (borrowed). Its
 * state, journals and reports are in a directory for that file. When it is
 * opened, a line on stderr says that it is a simulation, unless `quiet`.
 *
 * Returns 0, or a negative errno with `error` set; OUTCOME_USAGE if the file
 * cannot be read or the directory is not the user's. Release: host_env_free.
 */
int host_env_sim_new(const char *scenario, bool quiet, struct host_env **ret_env,
		     struct error *error);

#endif
