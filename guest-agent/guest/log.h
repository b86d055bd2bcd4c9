/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_LOG_H
#define GUEST_AGENT_GUEST_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "pmcoord/cleanup.h"

/*
 * Lines for the service's journal: stderr with a "<level>" prefix, which
 * systemd understands. While a cycle runs they are held back in memory, because
 * what journald does with a line may end on a disk whose backend sleeps.
 */
struct log {
	bool held;
	bool verbose;
	bool prefix; /* "<level>": stderr is the journal */
	size_t used;
	size_t lost;
	char text[8192];
};

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* One line, without a newline. `log` may be NULL: nobody listens. */
void log_line(struct log *log, enum log_level level, const char *format, ...) _printf_(3, 4);

/* From now on lines are kept; past 8 KiB they are counted instead. */
void log_hold(struct log *log);

/* Emits what was kept, and each later line at once. */
void log_release(struct log *log);

#endif
