/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOOP_EVENT_H
#define PMCOORD_HOST_LOOP_EVENT_H

/* The event loop of a process: struct loop on sd-event, with its stop signals. */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/hypervisor.h"
#include "model/loop.h"

/*
 * Creates a loop whose waits end at events of the hypervisor and at the signals
 * of stop-signals.h, which it blocks. `hypervisor` is borrowed and may be NULL.
 * Returns 0, or a negative errno with `error` set. Release: loop_free.
 */
int loop_new(struct hypervisor *hypervisor, struct loop **ret_loop, struct error *error);

/* The functions below are for loops of loop_new only. */

/* sd-event's object, borrowed, to add sources to. */
struct sd_event *loop_event(struct loop *loop);

/* Whether a stop signal was ever received; loop_take_signal does not clear it. */
bool loop_stop_requested(const struct loop *loop);

/*
 * Whether events of the hypervisor end waits; initially they do. Returns 0 or a
 * negative errno.
 */
int loop_watch_hypervisor(struct loop *loop, bool enable);

/*
 * Sends WATCHDOG=1 to the service manager at this interval while the loop waits;
 * 0: never, without a timer. Returns 0 or a negative errno.
 */
int loop_watchdog(struct loop *loop, uint64_t interval_us);

#endif
