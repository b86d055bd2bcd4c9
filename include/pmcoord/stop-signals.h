/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_STOP_SIGNALS_H
#define PMCOORD_STOP_SIGNALS_H

/*
 * The signals that make a running operation undo itself: SIGTERM, SIGINT and SIGHUP.
 * SIGHUP means that the terminal is closed, where the user could have undone the
 * operation. It is left out if the process ignores it, as under nohup(1).
 */

#include <stdint.h>
#include <systemd/sd-event.h>

/* Blocks the stop signals. Threads created later inherit the mask. */
void stop_signals_block(void);

/*
 * Blocks the stop signals. As long as `event` exists, its loop calls `handler` for
 * each stop signal; if `handler` is NULL, a stop signal ends the loop, as in
 * sd_event_add_signal(3). `priority` is that of sd_event_source_set_priority(3).
 * Returns 0 or a negative errno.
 */
int stop_signals_watch(sd_event *event, int64_t priority, sd_event_signal_handler_t handler,
		       void *data);

#endif
