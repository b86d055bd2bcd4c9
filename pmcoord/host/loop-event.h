/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOOP_EVENT_H
#define PMCOORD_HOST_LOOP_EVENT_H

/* The loop of a process: sd-event, and the signals that stop it. */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/hypervisor.h"
#include "model/loop.h"

/*
 * Waits for the hypervisor's descriptor, and for the signals of stop-signals.h,
 * which are blocked and taken as events. `hypervisor` is borrowed and may be
 * NULL. Returns 0, or negative with `error` set. Release: loop_free.
 */
int loop_new(struct hypervisor *hypervisor, struct loop **ret_loop, struct error *error);

/*
 * What follows is for loops of loop_new alone: sd-event's object, borrowed, for
 * more sources; and whether such a signal came, which nothing clears.
 */
struct sd_event *loop_event(struct loop *loop);
bool loop_stop_requested(const struct loop *loop);

/*
 * Whether events of the hypervisor end a wait, as they do at
 * first; and for the service manager's watchdog, a sign of life at this
 * interval while the loop waits (0: none, and nothing wakes up for it).
 * Return 0 or a negative errno.
 */
int loop_watch_hypervisor(struct loop *loop, bool listen);
int loop_watchdog(struct loop *loop, uint64_t interval_us);

#endif
