/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_JSON_H
#define PMCOORD_JSON_H

/*
 * Helpers for json-c. The functions that add members collect their errors in one
 * status; the functions that read members check each member's type.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

/*
 * Add a member to an object, or, with `key` NULL, an element to an array. Set
 * *status to -ENOMEM on failure, and do nothing if *status is already negative, so
 * that the caller needs to check *status only after the last call.
 */
void json_add_null(struct json_object *object, const char *key, int *status);
void json_add_integer(struct json_object *object, const char *key, int64_t value, int *status);
void json_add_boolean(struct json_object *object, const char *key, bool value, int *status);
/*
 * Adds a string, or null if `value` is NULL. Control characters become '?'. Invalid
 * UTF-8 also becomes '?', because a text may have been truncated within a character.
 */
void json_add_string(struct json_object *object, const char *key, const char *value, int *status);
/* Add an empty object or array. Return the new one, borrowed, or NULL on failure. */
struct json_object *json_add_object(struct json_object *object, const char *key, int *status);
struct json_object *json_add_array(struct json_object *object, const char *key, int *status);

/*
 * Print an object with a newline at the end: indented, or on one line. Return 0,
 * -EIO or -ENOMEM.
 */
int json_print(struct json_object *object, FILE *out);
int json_print_line(struct json_object *object, FILE *out);

/*
 * Return a member of `object`, which may be NULL or of any type. A member that is
 * missing or of another type yields "", `fallback`, false or NULL. Strings and
 * objects are borrowed.
 */
const char *json_read_string(struct json_object *object, const char *key);
int64_t json_read_integer(struct json_object *object, const char *key, int64_t fallback);
bool json_read_boolean(struct json_object *object, const char *key);
/* Returns the i-th element of a member that is an array; NULL after the last. */
struct json_object *json_read_item(struct json_object *object, const char *key, size_t i);

#endif
