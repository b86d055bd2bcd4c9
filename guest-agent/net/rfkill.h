/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_NET_RFKILL_H
#define GUEST_AGENT_NET_RFKILL_H

#include <stddef.h>

#include "guest/files.h"

/*
 * Saves and restores the rfkill state of a PCI function's radios. A driver that is bound
 * again would switch on a radio that the user has switched off.
 */

/* The maximum number of radios of a PCI function whose state is saved; others are left out. */
#define RFKILL_MAX 4

struct rfkill_state {
	struct {
		char type[16]; /* e.g. "wlan", "bluetooth" */
		char soft[4]; /* "1" if switched off by the user, else "0" */
	} radios[RFKILL_MAX];
	size_t n_radios;
};

/* Reads the state of all radios beneath the PCI function. Unreadable radios are left out. */
void rfkill_save(const struct roots *roots, const char *address, struct rfkill_state *ret);

/*
 * Sets each radio beneath the PCI function to the state that was saved for a radio of the
 * same type. Calls `write` with the path and the new text of the radio's sysfs attribute.
 */
void rfkill_restore(const struct roots *roots, const char *address,
		    const struct rfkill_state *state,
		    int (*write)(const char *path, const char *text));

#endif
