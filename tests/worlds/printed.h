/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_PRINTED_H
#define TESTS_WORLDS_PRINTED_H

/* What a command has told its user: by its output, its messages and its report. */

#include <stdbool.h>

#include <json-c/json.h>

#include "tests/worlds/history.h"

/* Whether a text has this word, bounded by anything but letters and digits. */
bool text_has_word(const char *text, const char *word);

/*
 * Returns the report that a command has printed as JSON, else the one it has written,
 * or NULL if there is none. Release: json_object_put.
 */
struct json_object *printed_report(const struct outcome *outcome);
/* Returns the JSON object that a command has printed, or NULL. Release: json_object_put. */
struct json_object *printed_object(const struct outcome *outcome);

/* Returns a string of an object, borrowed, or "". */
const char *json_text(struct json_object *object, const char *key);
/* Returns the i-th element of an array in an object, borrowed, or NULL. */
struct json_object *json_element(struct json_object *object, const char *array, size_t i);
/* Finds the guest of a report; NULL if it has none of this name. */
struct json_object *report_guest_named(struct json_object *report, const char *name);

/*
 * Whether the command has named a guest as one with which something is wrong: in its
 * messages, or in a report that says more about the guest than that it was suspended
 * and resumed.
 */
bool printed_names(const struct outcome *outcome, const char *name);

/*
 * Whether the command says that its cycle has failed, so that all guests run that can. The report
 * that it has written does not count: that may be of an earlier cycle.
 */
bool printed_failure(const struct outcome *outcome);

#endif
