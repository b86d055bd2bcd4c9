/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/moment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/*
 * Does not call gmtime(3), because its first call reads /etc/localtime, which may be on
 * a disk of a suspended guest. Years begin in March, so that a leap day is the last day of
 * its year. Years are counted in eras of 400, because all eras have the same number of days.
 */
void moment_format(uint64_t realtime_us, char ret[MOMENT_TEXT_SIZE])
{
	uint64_t seconds = realtime_us / 1000000;
	uint64_t days = seconds / 86400 + 719468; /* since 0000-03-01 */
	uint64_t era = days / 146097, day = days % 146097;
	uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	uint64_t of_year = day - (365 * year + year / 4 - year / 100);
	uint64_t march_month = (5 * of_year + 2) / 153;
	uint64_t month = march_month < 10 ? march_month + 3 : march_month - 9;

	snprintf(ret, MOMENT_TEXT_SIZE,
		 "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64
		 ".%06" PRIu64 "Z",
		 era * 400 + year + (month <= 2), month, of_year - (153 * march_month + 2) / 5 + 1,
		 seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, realtime_us % 1000000);
}

void moment_print_local(const char *moment, FILE *out)
{
	struct tm when = { 0 };
	char text[64];
	time_t seconds;

	assert(moment && out);
	if (!strptime(moment, "%Y-%m-%dT%H:%M:%S", &when)) {
		fprintf(out, "%s", moment);
		return;
	}
	seconds = timegm(&when);
	if (!localtime_r(&seconds, &when) ||
	    strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M:%S %Z", &when) == 0)
		snprintf(text, sizeof(text), "%s", moment);
	fprintf(out, "%s", text);
}

int64_t moment_later(int64_t a_us, int64_t b_us)
{
	return a_us > b_us ? a_us : b_us;
}

int64_t span_between(int64_t from_us, int64_t to_us)
{
	if (from_us == MOMENT_NEVER || to_us == MOMENT_NEVER || to_us < from_us)
		return MOMENT_NEVER;
	return to_us - from_us;
}

/* Formats without floating point, whose decimal point would depend on the locale. */
static void format_tenths(int64_t tenths, const char *unit, char *ret)
{
	snprintf(ret, SPAN_TEXT_SIZE, "%" PRId64 ".%" PRId64 "%s", tenths / 10, tenths % 10, unit);
}

/* Formats a span in two units, e.g. "4 min 10 s", or only in the larger unit if `rest` is 0. */
static void format_two(int64_t count, const char *unit, int64_t rest, const char *small, char *ret)
{
	if (rest == 0)
		snprintf(ret, SPAN_TEXT_SIZE, "%" PRId64 " %s", count, unit);
	else
		snprintf(ret, SPAN_TEXT_SIZE, "%" PRId64 " %s %" PRId64 " %s", count, unit, rest,
			 small);
}

char *span_format_ms(int64_t span_us, char ret[SPAN_TEXT_SIZE])
{
	if (span_us == MOMENT_NEVER)
		snprintf(ret, SPAN_TEXT_SIZE, "-");
	else
		format_tenths((span_us + 50) / 100, "", ret);
	return ret;
}

char *span_format(int64_t span_us, char ret[SPAN_TEXT_SIZE])
{
	int64_t seconds = (span_us + 500000) / 1000000;
	int64_t minutes = (span_us + 30000000) / 60000000;

	if (span_us == MOMENT_NEVER)
		snprintf(ret, SPAN_TEXT_SIZE, "-");
	else if (span_us < 999950)
		format_tenths((span_us + 50) / 100, " ms", ret);
	else if (span_us < 9995000)
		snprintf(ret, SPAN_TEXT_SIZE, "%" PRId64 ".%02" PRId64 " s",
			 (span_us + 5000) / 1000000, (span_us + 5000) / 10000 % 100);
	else if (span_us < 119950000)
		format_tenths((span_us + 50000) / 100000, " s", ret);
	else if (seconds < 600)
		format_two(seconds / 60, "min", seconds % 60, "s", ret);
	else if (minutes < 120)
		format_two(minutes, "min", 0, "", ret);
	else
		format_two(minutes / 60, "h", minutes % 60, "min", ret);
	return ret;
}
