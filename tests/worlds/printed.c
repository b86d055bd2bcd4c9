/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/printed.h"

#include <ctype.h>
#include <string.h>

bool text_has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *found = text; (found = strstr(found, word)); found++) {
		bool begins = found == text || !isalnum((unsigned char)found[-1]);

		if (begins && !isalnum((unsigned char)found[length]))
			return true;
	}
	return false;
}

const char *json_text(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

struct json_object *json_element(struct json_object *object, const char *array, size_t i)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, array, &value) ||
	    !json_object_is_type(value, json_type_array))
		return NULL;
	return i < json_object_array_length(value) ? json_object_array_get_idx(value, i) : NULL;
}

struct json_object *printed_object(const struct outcome *outcome)
{
	struct json_object *object = outcome->out ? json_tokener_parse(outcome->out) : NULL;

	if (object && !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return NULL;
	}
	return object;
}

struct json_object *printed_report(const struct outcome *outcome)
{
	struct json_object *object = printed_object(outcome);

	if (object && json_text(object, "result")[0])
		return object;
	json_object_put(object);
	return outcome->report ? json_tokener_parse(outcome->report) : NULL;
}

struct json_object *report_guest_named(struct json_object *report, const char *name)
{
	struct json_object *guest;

	for (size_t i = 0; (guest = json_element(report, "guests", i)); i++)
		if (strcmp(json_text(guest, "name"), name) == 0)
			return guest;
	return NULL;
}

static bool is_true(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return false;
	return json_object_is_type(value, json_type_string) || json_object_get_boolean(value);
}

static bool is_remarkable(struct json_object *guest)
{
	return guest && (json_text(guest, "detail")[0] ||
			 strcmp(json_text(guest, "outcome"), "suspended") != 0 ||
			 is_true(guest, "degraded") || is_true(guest, "stranded") ||
			 is_true(guest, "gone") || is_true(guest, "appeared") ||
			 is_true(guest, "taken_by_another"));
}

bool printed_names(const struct outcome *outcome, const char *name)
{
	const char *section = outcome->out ? strstr(outcome->out, "went wrong") : NULL;
	struct json_object *report, *warning;
	bool found;

	if ((outcome->err && text_has_word(outcome->err, name)) ||
	    (section && text_has_word(section, name)))
		return true;
	report = printed_report(outcome);
	found = is_remarkable(report_guest_named(report, name)) ||
		text_has_word(json_text(report, "detail"), name) ||
		strcmp(json_text(report, "stranded"), name) == 0;
	for (size_t i = 0; !found && (warning = json_element(report, "warnings", i)); i++)
		found = text_has_word(json_object_get_string(warning), name);
	json_object_put(report);
	return found;
}

bool printed_failure(const struct outcome *outcome)
{
	struct json_object *report = printed_object(outcome);
	bool found = strcmp(json_text(report, "result"), "failed") == 0;
	const char *text = outcome->err;

	json_object_put(report);
	for (; text && !found && (text = strstr(text, "cycle ")); text += strlen("cycle ")) {
		const char *number = text + strlen("cycle ");

		found = strncmp(number + strspn(number, "0123456789"), " failed", 7) == 0;
	}
	return found;
}
