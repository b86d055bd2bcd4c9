/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_CLI_HOST_ENV_XEN_H
#define PMCOORD_CLI_HOST_ENV_XEN_H

#include "pmcoord/error.h"
#include "engine/host-env.h"

/*
 * Creates the environment of this host, which runs Xen; host_env_open opens it.
 * Returns 0, or -ENOMEM with `error` set. Release: host_env_free.
 */
int host_env_xen_new(struct host_env **ret_env, struct error *error);

#endif
