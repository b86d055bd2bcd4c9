/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_BATTERY_H
#define PMCOORD_HOST_BATTERY_H

/* The charge of the host's batteries. */

#include <stdbool.h>

/*
 * Whether the host is about to lose power. This is so if no mains or USB supply is
 * online, a system battery discharges, and no system battery is charged to more than
 * 5 %. 5 % is systemd's limit for a low battery. Batteries of devices such as a mouse
 * do not count. Reads <sys>/class/power_supply; ignores attributes that cannot be
 * read.
 */
bool battery_is_low(const char *sys);

#endif
