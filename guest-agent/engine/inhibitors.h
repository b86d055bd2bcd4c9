/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_INHIBITORS_H
#define GUEST_AGENT_ENGINE_INHIBITORS_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/files.h"

/*
 * Whether a program in this guest blocks sleep (systemd-inhibit --what=sleep --mode=block).
 * If so, `ret` is a sentence with the program and its reason. This function reads
 * logind's state files on /run, because a D-Bus call would take longer.
 */
bool inhibitors_find(const struct roots *roots, char *ret, size_t size);

#endif
