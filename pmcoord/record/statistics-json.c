/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/statistics-json.h"

#include <assert.h>

#include "pmcoord/json.h"

void samples_add_json(struct samples *samples, struct json_object *object, const char *key,
		      int *status)
{
	struct summary summary;
	struct json_object *member;

	assert(samples);
	assert(key);
	assert(status);
	summary = samples_summarize(samples);
	if (samples->n_values == 0) {
		json_add_null(object, key, status);
		return;
	}
	member = json_add_object(object, key, status);
	json_add_integer(member, "avg", summary.avg_us, status);
	json_add_integer(member, "min", summary.min_us, status);
	json_add_integer(member, "median", summary.median_us, status);
	json_add_integer(member, "max", summary.max_us, status);
}
