/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_JSON_H
#define PMCOORD_JSON_H

/*
 * JSON by json-c, with what both of our ends need: writing checks memory once,
 * at the end; reading trusts no type.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

/*
 * Adding. Each does nothing once *status is negative, and sets it to -ENOMEM
 * when memory is short, so that only the last one's status is looked at.
 * `object` is an object, or with `key` NULL an array.
 */
void json_add_null(struct json_object *object, const char *key, int *status);
void json_add_integer(struct json_object *object, const char *key, int64_t value, int *status);
void json_add_boolean(struct json_object *object, const char *key, bool value, int *status);
/*
 * NULL is null. Bytes that are no UTF-8 become '?': a detail may have been cut
 * in the middle of a character.
 */
void json_add_string(struct json_object *object, const char *key, const char *value, int *status);
/* Return the new member, borrowed, or NULL. */
struct json_object *json_add_object(struct json_object *object, const char *key, int *status);
struct json_object *json_add_array(struct json_object *object, const char *key, int *status);

/*
 * Prints over several lines, or in one, with a newline at the end. Return 0,
 * -EIO or -ENOMEM.
 */
int json_print(struct json_object *object, FILE *out);
int json_print_line(struct json_object *object, FILE *out);

/*
 * Reading. `object` may be NULL or of any type; a member that is not there or
 * of another type is "", `otherwise`, false or NULL. Results are borrowed.
 */
const char *json_read_string(struct json_object *object, const char *key);
int64_t json_read_integer(struct json_object *object, const char *key, int64_t otherwise);
bool json_read_boolean(struct json_object *object, const char *key);
/* The i-th object of an array; NULL behind the last. */
struct json_object *json_read_item(struct json_object *object, const char *key, size_t i);

#endif
