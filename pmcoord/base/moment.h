/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_BASE_MOMENT_H
#define PMCOORD_BASE_MOMENT_H

/* Moments and spans of time as text. */

#include <stdint.h>
#include <stdio.h>

/* A moment that was not reached, or a span from or to one. */
#define MOMENT_NEVER INT64_MIN

#define MOMENT_TEXT_SIZE 64

/* Formats a time of CLOCK_REALTIME as RFC 3339, in UTC. */
void moment_format(uint64_t realtime_us, char ret[MOMENT_TEXT_SIZE]);

/* Prints such a text in the local time zone; any other text is printed unchanged. */
void moment_print_local(const char *started, FILE *out);

/* From one moment to a later one; MOMENT_NEVER if either was not reached. */
int64_t span_between(int64_t from_us, int64_t to_us);

#define SPAN_TEXT_SIZE 32

/* "412.3", in ms, and "-" for MOMENT_NEVER. Returns `ret`. */
char *span_format_ms(int64_t span_us, char ret[SPAN_TEXT_SIZE]);

/*
 * "412.3 ms", "7.65 s", "12.3 s", "4 min 10 s", "17 min", "3 h 12 min" or "8 h";
 * "-" for MOMENT_NEVER. Returns `ret`.
 */
char *span_format(int64_t span_us, char ret[SPAN_TEXT_SIZE]);

#endif
