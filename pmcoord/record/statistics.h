/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_STATISTICS_H
#define PMCOORD_RECORD_STATISTICS_H

/* Average, minimum, median and maximum of many time spans. Pure: no I/O. */

#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/moment.h"

/*
 * Time spans in µs. The caller zeroes the struct before the first use. Release:
 * samples_done.
 */
struct samples {
	int64_t *values_us;
	size_t n_values;
};

/* All fields are MOMENT_NEVER if there were no samples. */
struct summary {
	int64_t avg_us, min_us, median_us, max_us;
};

/* Adds a span. MOMENT_NEVER (not measured) is ignored. Returns 0 or -ENOMEM. */
int samples_add(struct samples *samples, int64_t span_us);

/* Adds all spans in `more`. Returns 0 or -ENOMEM. */
int samples_merge(struct samples *samples, const struct samples *more);

void samples_done(struct samples *samples);

/*
 * Sorts the samples and returns their summary. The median of an even number of
 * samples is the mean of the two in the middle.
 */
struct summary samples_summarize(struct samples *samples);

/* Average, minimum, median and maximum in ms as table cells; "" if there are no samples. */
struct summary_cells {
	char avg[SPAN_TEXT_SIZE], min[SPAN_TEXT_SIZE];
	char median[SPAN_TEXT_SIZE], max[SPAN_TEXT_SIZE];
};

struct summary_cells samples_cells(struct samples *samples);

#endif
