/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_BATTERY_H
#define PMCOORD_HOST_BATTERY_H

/* The charge of the host's batteries. */

#include <stdbool.h>

/*
 * Whether the host is about to lose power: no mains supply is online, a system
 * battery (not that of a mouse and the like) discharges, and none has more than
 * 5 % left, systemd's limit for a low battery. Reads <sys>/class/power_supply;
 * attributes that cannot be read are ignored.
 */
bool battery_is_low(const char *sys);

#endif
