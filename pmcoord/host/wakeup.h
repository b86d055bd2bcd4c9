/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_WAKEUP_H
#define PMCOORD_HOST_WAKEUP_H

/*
 * What woke the host. The kernel counts the events of each wake-up source, see
 * Documentation/ABI/testing/sysfs-class-wakeup. What it cannot tell: the firmware's own reasons,
 * and, on some machines, everything.
 */

#include <stddef.h>

struct wakeup;

/*
 * Opens the sources in <sys>/class/wakeup, so that reading them after the wake needs no file
 * system, and reads their counts. Returns NULL if there are none, or out of memory. Release:
 * wakeup_free.
 */
struct wakeup *wakeup_new(const char *sys);
/* `wakeup` may be NULL. */
void wakeup_free(struct wakeup *wakeup);

/*
 * Writes the names of the sources that had an event since wakeup_new, separated by ", ": such as
 * "RTC", "power button", "lid", or the kernel's name; "unknown" if none had. `wakeup` may be NULL.
 */
void wakeup_name(const struct wakeup *wakeup, char *ret, size_t size);

#endif
