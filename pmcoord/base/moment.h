/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_MOMENT_H
#define PMCOORD_BASE_MOMENT_H

/* Moments and spans of time as text. */

#include <stdint.h>
#include <stdio.h>

/* A moment that was not reached, or a span from or to such a moment. */
#define MOMENT_NEVER INT64_MIN

/* Size of a text from moment_format, with its NUL. */
#define MOMENT_TEXT_SIZE 64

/* Formats a time of CLOCK_REALTIME in UTC, as in RFC 3339. */
void moment_format(uint64_t realtime_us, char ret[MOMENT_TEXT_SIZE]);

/* Prints a text from moment_format in the local time zone. Prints any other text unchanged. */
void moment_print_local(const char *moment, FILE *out);

/*
 * Returns the later of two moments, or the longer of two spans. MOMENT_NEVER counts as
 * the earliest moment and the shortest span.
 */
int64_t moment_later(int64_t a_us, int64_t b_us);

/*
 * Returns the time from `from_us` to `to_us`. Returns MOMENT_NEVER if either is
 * MOMENT_NEVER, or if `to_us` is before `from_us`.
 */
int64_t span_between(int64_t from_us, int64_t to_us);

/* Size of the text of a span, with its NUL. */
#define SPAN_TEXT_SIZE 32

/* Formats a span in ms, e.g. "412.3". MOMENT_NEVER becomes "-". Returns `ret`. */
char *span_format_ms(int64_t span_us, char ret[SPAN_TEXT_SIZE]);

/*
 * Formats a span in units that fit its length, e.g. "412.3 ms", "7.65 s", "12.3 s",
 * "4 min 10 s", "17 min", "3 h 12 min" or "8 h". MOMENT_NEVER becomes "-". Returns `ret`.
 */
char *span_format(int64_t span_us, char ret[SPAN_TEXT_SIZE]);

#endif
