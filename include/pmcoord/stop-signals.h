/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_STOP_SIGNALS_H
#define PMCOORD_STOP_SIGNALS_H

/*
 * The stop signals SIGTERM, SIGINT and SIGHUP make a running operation undo itself.
 * SIGHUP means that the terminal is closed, so that the user can no longer undo the
 * operation there. If the process ignores SIGHUP, as under nohup(1), SIGHUP is not a
 * stop signal.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

/* Blocks the stop signals. Threads created later inherit the mask. */
void stop_signals_block(void);

/*
 * Blocks the stop signals, and adds them to the loop of `event`. For each stop
 * signal the loop calls `handler`; if `handler` is NULL, the signal ends the loop,
 * as in sd_event_add_signal(3). `priority` is that of
 * sd_event_source_set_priority(3). Returns 0 or a negative errno.
 */
int stop_signals_watch(sd_event *event, int64_t priority, sd_event_signal_handler_t handler,
		       void *data);

#endif
