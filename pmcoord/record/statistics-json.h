/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_RECORD_STATISTICS_JSON_H
#define PMCOORD_RECORD_STATISTICS_JSON_H

/* Statistics as JSON, for --json. Pure: no I/O. */

#include <json-c/json.h>

#include "record/statistics.h"

/*
 * Adds {"avg","min","median","max"} in µs under `key`, or null if there are no
 * samples. Handles `status` as the json_add functions of pmcoord/json.h do.
 */
void samples_add_json(struct samples *samples, struct json_object *object, const char *key,
		      int *status);

#endif
