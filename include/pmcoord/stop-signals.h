/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_STOP_SIGNALS_H
#define PMCOORD_STOP_SIGNALS_H

/*
 * The signals on which a running operation is undone: SIGTERM, SIGINT, and
 * SIGHUP, because nothing can be undone by hand once the terminal is closed.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

/* Blocks the stop signals. Threads created later inherit the mask. */
void stop_signals_block(void);

/*
 * Blocks the stop signals and calls `handler` for each from the loop, as long as
 * the loop exists; NULL ends the loop instead, as in sd_event_add_signal(3).
 * `priority` as in sd_event_source_set_priority(3). Returns 0 or a negative errno.
 */
int stop_signals_watch(sd_event *event, int64_t priority, sd_event_signal_handler_t handler,
		       void *data);

#endif
