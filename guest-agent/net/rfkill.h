/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_RFKILL_H
#define GUEST_AGENT_NET_RFKILL_H

#include <stddef.h>

#include "guest/files.h"

/*
 * Preserves the rfkill state of a PCI function's radios: a driver that is bound
 * again would switch on a radio that the user has switched off.
 */

#define RFKILL_MAX 4

struct rfkill_state {
	struct {
		char type[16]; /* "wlan", "bluetooth" */
		char soft[4]; /* "0", "1" */
	} radios[RFKILL_MAX];
	size_t n_radios;
};

/* Reads the state of all radios beneath the function. Unreadable ones are left out. */
void rfkill_save(const struct roots *roots, const char *address, struct rfkill_state *ret);

/* Sets each radio beneath the function to the saved state of its type, using `write`. */
void rfkill_restore(const struct roots *roots, const char *address,
		    const struct rfkill_state *state,
		    int (*write)(const char *path, const char *text));

#endif
