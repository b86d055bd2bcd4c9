/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_JSON_H
#define PMCOORD_JSON_H

/*
 * Helpers for json-c. The functions that add members collect their errors in one
 * status. The functions that read members check each member's type.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

/*
 * The json_add functions add a member to an object. If `key` is NULL, `object` is
 * an array, and they append an element. On failure they set *status to -ENOMEM. If
 * *status is already negative, they do nothing, so that the caller needs to check
 * *status only after the last call.
 */

void json_add_null(struct json_object *object, const char *key, int *status);
void json_add_integer(struct json_object *object, const char *key, int64_t value, int *status);
void json_add_boolean(struct json_object *object, const char *key, bool value, int *status);

/*
 * Adds a string, or null if `value` is NULL. Control characters and invalid UTF-8
 * become '?'. UTF-8 may be invalid because a text was truncated within a character.
 */
void json_add_string(struct json_object *object, const char *key, const char *value, int *status);

/* Adds an empty object. Returns this object, borrowed, or NULL on failure. */
struct json_object *json_add_object(struct json_object *object, const char *key, int *status);

/* Adds an empty array. Returns this array, borrowed, or NULL on failure. */
struct json_object *json_add_array(struct json_object *object, const char *key, int *status);

/* Prints an object, indented, with a newline at the end. Returns 0, -EIO or -ENOMEM. */
int json_print(struct json_object *object, FILE *out);

/* As json_print, but on one line. */
int json_print_line(struct json_object *object, FILE *out);

/*
 * The functions below read the member `key` of `object`. `object` may be NULL or of
 * any type.
 */

/* Returns a string, borrowed, or "" if the member is missing or not a string. */
const char *json_read_string(struct json_object *object, const char *key);

/* Returns an integer, or `fallback` if the member is missing or not an integer. */
int64_t json_read_integer(struct json_object *object, const char *key, int64_t fallback);

/* Returns a boolean, or false if the member is missing or not a boolean. */
bool json_read_boolean(struct json_object *object, const char *key);

/*
 * Returns the i-th element of an array, borrowed. Returns NULL after the last
 * element, or if the member is missing or not an array.
 */
struct json_object *json_read_item(struct json_object *object, const char *key, size_t i);

#endif
