/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_BATTERY_H
#define PMCOORD_HOST_BATTERY_H

/* The charge of the host's batteries. */

#include <stdbool.h>

/*
 * Whether the host is about to lose power. This is so if no mains or USB supply is
 * online, a system battery discharges, and no system battery is charged to more than
 * `low_percent`; a battery whose capacity_level is Critical is charged to less.
 * Batteries of devices such as a mouse do not count, nor do supplies of devices, nor USB ports
 * that all give power to others. Reads <sys>/class/power_supply; ignores attributes that cannot
 * be read.
 */
bool battery_is_low(const char *sys, unsigned int low_percent);

/* Returns the charge of the system's batteries in percent, on average; negative: unknown. */
int battery_percent(const char *sys);

#endif
