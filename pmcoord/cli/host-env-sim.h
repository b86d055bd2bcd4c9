/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_HOST_ENV_SIM_H
#define PMCOORD_CLI_HOST_ENV_SIM_H

#include <stdbool.h>

#include "engine/host-env.h"

/*
 * The simulated host of a scenario file. It has a directory of its own for each
 * file, and keeps the guests' states there. That it is none of the real host is
 * printed to stderr when it is opened, unless `quiet`. `scenario` is borrowed.
 * Returns 0, or negative with `error` set.
 */
int host_env_sim_new(const char *scenario, bool quiet, struct host_env **ret_env,
		     struct error *error);

#endif
