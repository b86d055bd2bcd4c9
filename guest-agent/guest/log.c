/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pmcoord/write.h"

/* Writes to stderr. A failure is ignored, because there is no other place to report it. */
static void emit(const char *text, size_t length)
{
	(void)write_all(STDERR_FILENO, text, length);
}

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
	char line[1400];
	size_t used = 0;
	va_list arguments;

	assert(format);
	if (!log || (level == LOG_LEVEL_DEBUG && !log->verbose))
		return;
	if (log->prefix)
		used = (size_t)snprintf(line, sizeof(line), "<%d>", level);
	va_start(arguments, format);
	vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
	va_end(arguments);
	used = strlen(line);
	line[used++] = '\n';
	if (!log->held) {
		emit(line, used);
	} else if (used > sizeof(log->text) - log->used) {
		log->lost++;
	} else {
		memcpy(log->text + log->used, line, used);
		log->used += used;
	}
}

void log_hold(struct log *log)
{
	if (log)
		log->held = true;
}

void log_release(struct log *log)
{
	if (!log)
		return;
	log->held = false;
	emit(log->text, log->used);
	log->used = 0;
	if (log->lost > 0)
		log_line(log, LOG_LEVEL_WARNING,
			 "%zu more lines of this cycle were dropped: the log buffer was full",
			 log->lost);
	log->lost = 0;
}

char *log_format_duration(uint64_t us, char ret[LOG_DURATION_MAX])
{
	uint64_t ms = us / 1000;

	if (ms >= 1000)
		snprintf(ret, LOG_DURATION_MAX, "%" PRIu64 ".%02" PRIu64 " s", ms / 1000,
			 ms % 1000 / 10);
	else if (ms >= 100)
		snprintf(ret, LOG_DURATION_MAX, "%" PRIu64 " ms", ms);
	else
		snprintf(ret, LOG_DURATION_MAX, "%" PRIu64 ".%" PRIu64 " ms", ms, us % 1000 / 100);
	return ret;
}
