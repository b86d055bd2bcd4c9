/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_BATTERY_H
#define PMCOORD_HOST_BATTERY_H

#include <stdbool.h>

/*
 * Whether the host is about to lose its power: no mains is on line, a battery
 * of its own (not its mouse's) discharges, and none has more than 5 % left, the
 * level at which systemd calls a battery low. Reads <sys>/class/power_supply;
 * what cannot be read does not count.
 */
bool battery_is_low(const char *sys);

#endif
