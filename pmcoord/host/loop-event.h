/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_HOST_LOOP_EVENT_H
#define PMCOORD_HOST_LOOP_EVENT_H

/*
 * The event loop of a process: struct loop, implemented with sd-event. The loop
 * also receives the stop signals of the process.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "model/hypervisor.h"
#include "model/loop.h"

/*
 * Blocks the stop signals (stop-signals.h), and creates a loop whose waits end at a
 * stop signal or at an event of the hypervisor. `hypervisor` is borrowed and may be
 * NULL. Returns 0, or a negative errno with `error` set. Release: loop_free.
 */
int loop_new(struct hypervisor *hypervisor, struct loop **ret_loop, struct error *error);

/* The functions below are for loops of loop_new only. */

/* Returns the loop's sd-event object, borrowed, to which sources can be added. */
struct sd_event *loop_event(struct loop *loop);

/*
 * Whether the loop has ever received a stop signal. Remains true after loop_take_signal
 * has cleared the signal.
 */
bool loop_stop_requested(const struct loop *loop);

/*
 * Sets whether events of the hypervisor end waits. Until the first call, they do.
 * Returns 0 or a negative errno.
 */
int loop_watch_hypervisor(struct loop *loop, bool enable);

/*
 * Sends WATCHDOG=1 to the service manager at this interval, but only during waits of the
 * loop. An interval of 0 ends the messages. Returns 0 or a negative errno.
 */
int loop_watchdog(struct loop *loop, uint64_t interval_us);

#endif
