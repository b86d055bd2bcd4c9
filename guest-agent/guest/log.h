/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_GUEST_LOG_H
#define GUEST_AGENT_GUEST_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/cleanup.h"

/*
 * Writes log lines to stderr, with the "<level>" prefix of sd-daemon(3) if stderr is systemd's
 * journal. During a cycle lines are kept in memory, because journald would block when it
 * writes to a disk whose backend is suspended.
 */
struct log {
	bool held; /* lines are kept in `text` */
	bool verbose; /* lines of LOG_LEVEL_DEBUG are logged, too */
	bool prefix; /* stderr is systemd's journal */
	size_t used; /* bytes of `text` */
	size_t lost; /* lines that did not fit into `text` */
	char text[8192];
};

/* The levels of syslog(3) and sd-daemon(3). */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Logs one line; `format` has no newline. No-op if `log` is NULL. */
void log_line(struct log *log, enum log_level level, const char *format, ...) _printf_(3, 4);

/* Keeps further lines in memory. If `text` is full, lines are dropped and counted. */
void log_hold(struct log *log);

/* Writes the lines that were kept in memory. Further lines are written at once. */
void log_release(struct log *log);

/* The size of a duration as text, with its NUL. */
#define LOG_DURATION_MAX 32

/* Formats a duration for people: "12.3 ms", "944 ms", "7.65 s". Returns `ret`. */
char *log_format_duration(uint64_t us, char ret[LOG_DURATION_MAX]);

#endif
