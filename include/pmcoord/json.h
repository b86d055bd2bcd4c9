/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_JSON_H
#define PMCOORD_JSON_H

/*
 * Helpers for json-c. Writers accumulate an error, which is checked once at the
 * end; readers check each member's type.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

/*
 * Add a member to an object, or, with `key` NULL, an element to an array. Each
 * is a no-op if *status is negative, and sets it to -ENOMEM on failure, so that
 * the caller checks it once after the last call.
 */
void json_add_null(struct json_object *object, const char *key, int *status);
void json_add_integer(struct json_object *object, const char *key, int64_t value, int *status);
void json_add_boolean(struct json_object *object, const char *key, bool value, int *status);
/*
 * NULL becomes null. Bytes that are not UTF-8 become '?': a text may have been
 * truncated within a character.
 */
void json_add_string(struct json_object *object, const char *key, const char *value, int *status);
/* Return the new member, borrowed, or NULL on failure. */
struct json_object *json_add_object(struct json_object *object, const char *key, int *status);
struct json_object *json_add_array(struct json_object *object, const char *key, int *status);

/*
 * Print indented, or on one line, with a newline at the end. Return 0, -EIO or
 * -ENOMEM.
 */
int json_print(struct json_object *object, FILE *out);
int json_print_line(struct json_object *object, FILE *out);

/*
 * Read a member. `object` may be NULL or of any type; a member that is missing
 * or of another type yields "", `fallback`, false or NULL. Results are
 * borrowed.
 */
const char *json_read_string(struct json_object *object, const char *key);
int64_t json_read_integer(struct json_object *object, const char *key, int64_t fallback);
bool json_read_boolean(struct json_object *object, const char *key);
/* The i-th object of an array; NULL after the last. */
struct json_object *json_read_item(struct json_object *object, const char *key, size_t i);

#endif
