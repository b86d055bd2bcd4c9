/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_LOG_H
#define GUEST_AGENT_GUEST_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/cleanup.h"

/*
 * Log lines on stderr, with the "<level>" prefix of sd-daemon(3) where stderr is
 * the journal. During a cycle they are kept in memory: journald may write a line
 * to a disk whose backend is suspended, and would then block.
 */
struct log {
	bool held; /* lines go to `text` */
	bool verbose; /* debug lines, too */
	bool prefix; /* stderr is the journal */
	size_t used; /* bytes of `text` */
	size_t lost; /* lines that did not fit into `text` */
	char text[8192];
};

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Logs one line; `format` has no newline. No-op if `log` is NULL. */
void log_line(struct log *log, enum log_level level, const char *format, ...) _printf_(3, 4);

/* Keeps further lines in memory. What exceeds 8 KiB is dropped and counted. */
void log_hold(struct log *log);

/* Writes the lines that were kept, and from now on each line at once. */
void log_release(struct log *log);

#define LOG_DURATION_MAX 32

/* Formats a duration for people: "12.3 ms", "944 ms", "7.65 s". Returns `ret`. */
char *log_format_duration(uint64_t us, char ret[LOG_DURATION_MAX]);

#endif
