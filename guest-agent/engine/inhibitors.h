/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_INHIBITORS_H
#define GUEST_AGENT_ENGINE_INHIBITORS_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/files.h"

/*
 * Does a program of this guest block sleep (systemd-inhibit --what=sleep
 * --mode=block)? Says who and why in `ret`. Reads logind's state on /run, which
 * takes no bus and no time.
 */
bool inhibitors_find(const struct roots *roots, char *ret, size_t size);

#endif
