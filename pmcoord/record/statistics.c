/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/statistics.h"

#include <errno.h>
#include <stdlib.h>

#include "pmcoord/array.h"

int samples_add(struct samples *samples, int64_t span_us)
{
	if (span_us == MOMENT_NEVER)
		return 0;
	if (array_grow(&samples->values_us, samples->n_values, sizeof(*samples->values_us)) < 0)
		return -ENOMEM;
	samples->values_us[samples->n_values++] = span_us;
	return 0;
}

int samples_merge(struct samples *samples, const struct samples *more)
{
	int r = 0;

	for (size_t i = 0; i < more->n_values && r == 0; i++)
		r = samples_add(samples, more->values_us[i]);
	return r;
}

void samples_done(struct samples *samples)
{
	free(samples->values_us);
	*samples = (struct samples){ 0 };
}

static int compare_spans(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

struct summary samples_summarize(struct samples *samples)
{
	const int64_t *values = samples->values_us;
	size_t n = samples->n_values;
	int64_t sum = 0;

	if (n == 0)
		return (struct summary){ MOMENT_NEVER, MOMENT_NEVER, MOMENT_NEVER, MOMENT_NEVER };
	qsort(samples->values_us, n, sizeof(*values), compare_spans);
	for (size_t i = 0; i < n; i++)
		sum += values[i];
	return (struct summary){
		.avg_us = sum / (int64_t)n,
		.min_us = values[0],
		.median_us = (values[(n - 1) / 2] + values[n / 2]) / 2,
		.max_us = values[n - 1],
	};
}

struct summary_cells samples_cells(struct samples *samples)
{
	struct summary summary = samples_summarize(samples);
	struct summary_cells cells = { 0 };

	if (samples->n_values == 0)
		return cells;
	span_format_ms(summary.avg_us, cells.avg);
	span_format_ms(summary.min_us, cells.min);
	span_format_ms(summary.median_us, cells.median);
	span_format_ms(summary.max_us, cells.max);
	return cells;
}
