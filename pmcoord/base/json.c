/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pmcoord/json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

/* Adds `value` (NULL: JSON's null). Takes ownership of `value`, even on failure. */
static void add(struct json_object *object, const char *key, struct json_object *value, int *status)
{
	int r = key ? json_object_object_add(object, key, value)
		    : json_object_array_add(object, value);

	if (r < 0) {
		json_object_put(value);
		*status = -ENOMEM;
	}
}

static struct json_object *add_new(struct json_object *object, const char *key,
				   struct json_object *value, int *status)
{
	if (!value) {
		*status = -ENOMEM;
		return NULL;
	}
	add(object, key, value, status);
	return *status < 0 ? NULL : value;
}

void json_add_null(struct json_object *object, const char *key, int *status)
{
	assert(status && (object || *status < 0));
	if (*status >= 0)
		add(object, key, NULL, status);
}

void json_add_integer(struct json_object *object, const char *key, int64_t value, int *status)
{
	assert(status && (object || *status < 0));
	if (*status >= 0)
		add_new(object, key, json_object_new_int64(value), status);
}

void json_add_boolean(struct json_object *object, const char *key, bool value, int *status)
{
	assert(status && (object || *status < 0));
	if (*status >= 0)
		add_new(object, key, json_object_new_boolean(value), status);
}

void json_add_string(struct json_object *object, const char *key, const char *value, int *status)
{
	_cleanup_(freep) char *clean = NULL;
	size_t length;

	assert(status && (object || *status < 0));
	if (!value) {
		json_add_null(object, key, status);
		return;
	}
	if (*status < 0)
		return;
	length = strlen(value);
	clean = malloc(length + 1);
	if (!clean) {
		*status = -ENOMEM;
		return;
	}
	text_sanitize(value, length, clean, length + 1);
	add_new(object, key, json_object_new_string(clean), status);
}

struct json_object *json_add_object(struct json_object *object, const char *key, int *status)
{
	assert(status && (object || *status < 0));
	if (*status < 0)
		return NULL;
	return add_new(object, key, json_object_new_object(), status);
}

struct json_object *json_add_array(struct json_object *object, const char *key, int *status)
{
	assert(status && (object || *status < 0));
	if (*status < 0)
		return NULL;
	return add_new(object, key, json_object_new_array(), status);
}

static int print(struct json_object *object, int flags, FILE *out)
{
	const char *text = json_object_to_json_string_ext(object, flags);

	if (!text)
		return -ENOMEM;
	return fprintf(out, "%s\n", text) < 0 ? -EIO : 0;
}

int json_print(struct json_object *object, FILE *out)
{
	assert(out);
	return print(object,
		     JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			     JSON_C_TO_STRING_NOSLASHESCAPE,
		     out);
}

int json_print_line(struct json_object *object, FILE *out)
{
	assert(out);
	return print(object, JSON_C_TO_STRING_PLAIN, out);
}

/* Returns the member, borrowed, or NULL if it is missing or of another type. */
static struct json_object *member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
		return NULL;
	return value;
}

const char *json_read_string(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key, json_type_string);

	assert(key);
	return value ? json_object_get_string(value) : "";
}

int64_t json_read_integer(struct json_object *object, const char *key, int64_t fallback)
{
	struct json_object *value = member(object, key, json_type_int);

	assert(key);
	return value ? json_object_get_int64(value) : fallback;
}

bool json_read_boolean(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key, json_type_boolean);

	assert(key);
	return value && json_object_get_boolean(value);
}

struct json_object *json_read_item(struct json_object *object, const char *key, size_t i)
{
	struct json_object *array = member(object, key, json_type_array);

	assert(key);
	if (!array || i >= json_object_array_length(array))
		return NULL;
	return json_object_array_get_idx(array, i);
}
