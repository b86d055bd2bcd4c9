/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_STOP_SIGNALS_H
#define PMCOORD_STOP_SIGNALS_H

/*
 * The signals that ask for what is going on to be undone: SIGTERM, SIGINT, and
 * SIGHUP, as nobody is left to undo it by hand when the terminal is gone.
 */

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define STOP_SIGNALS_MAX 3

struct stop_signals {
	int numbers[STOP_SIGNALS_MAX];
	size_t n;
};

/* Those of this process: SIGHUP is none of them under nohup(1). */
struct stop_signals stop_signals_get(void);

/* The same, blocked from now on; threads that are made later inherit it. */
struct stop_signals stop_signals_block(void);

/*
 * Blocks them and takes them as events of the loop, as long as that lives; its
 * priority is one of sd_event_source_set_priority(3). Returns 0 or a negative
 * errno.
 */
int stop_signals_watch(sd_event *event, int64_t priority, sd_event_signal_handler_t handler,
		       void *data);

#endif
