/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_RFKILL_H
#define GUEST_AGENT_NET_RFKILL_H

#include <stdbool.h>
#include <stddef.h>

#include "guest/files.h"

/*
 * Which radios of a PCI function the user has switched off: a driver that is
 * bound anew would switch them on.
 */

#define RFKILL_MAX 4

struct rfkill_state {
	struct {
		char type[16]; /* "wlan", "bluetooth" */
		char soft[4]; /* "0", "1" */
	} radios[RFKILL_MAX];
	size_t n_radios;
};

/* What is not there or cannot be read is left out. */
void rfkill_save(const struct roots *roots, const char *address, struct rfkill_state *ret);

/* Switches each radio as it was, by its type. */
void rfkill_restore(const struct roots *roots, const char *address,
		    const struct rfkill_state *state,
		    int (*write)(const char *path, const char *text));

#endif
