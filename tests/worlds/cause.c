/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/cause.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "tests/worlds/domains.h"

struct words {
	char *text;
	size_t size, length;
};

static bool has_word(const char *text, const char *word, size_t length)
{
	const char *found;
	size_t n;

	while ((n = world_next_word(&text, &found)))
		if (n == length && strncmp(found, word, n) == 0)
			return true;
	return false;
}

_printf_(2, 3) static void add_word(struct words *words, const char *format, ...)
{
	char word[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(word, sizeof(word), format, arguments);
	va_end(arguments);
	if (has_word(words->text, word, strlen(word)) ||
	    words->length + strlen(word) + 2 > words->size)
		return;
	words->length += (size_t)snprintf(words->text + words->length, words->size - words->length,
					  "%s%s", words->length ? " " : "", word);
}

static void add_command(struct words *words, const char *what, const struct world_step *step)
{
	add_word(words, "%s=%.*s%s%s", what, (int)strcspn(step->text, " "), step->text,
		 step_has(step, "--guests-only") ? "+guests-only" : "",
		 step_has(step, "--force") ? "+force" : "");
	if (step_has(step, "--config=/nonexistent"))
		add_word(words, "c:nonexistent");
}

static void add_earlier(struct words *words, const struct world *world, size_t step)
{
	for (size_t i = 0; i < step; i++) {
		const struct world_step *earlier = &world->steps[i];

		if (earlier->type == STEP_DAMAGE)
			add_word(words, "damage=%s", earlier->text);
		else if (earlier->type == STEP_KILL)
			add_command(words, "killed", earlier);
		else if (earlier->type == STEP_RUN)
			add_command(words, "after", earlier);
	}
}

static void add_late_time(struct words *words, const char *who, const char *value)
{
	uint64_t us = 0;

	world_parse_duration(value, &us);
	add_word(words, "%s:LateTime%s", who, us > 25000000 ? ">25s" : "<=25s");
}

static void add_setting(struct words *words, const char *who, const struct setting *setting)
{
	uint64_t us;

	if (strcmp(setting->key, "LateTime") == 0)
		add_late_time(words, who, setting->value);
	else if (strcmp(setting->key, "Fail") == 0)
		add_word(words, "%s:Fail=%.*s", who, (int)strcspn(setting->value, ":"),
			 setting->value);
	else if (strpbrk(setting->value, " :g") && strcmp(setting->key, "State") != 0 &&
		 strcmp(setting->key, "Behaviour") != 0)
		add_word(words, "%s:%s", who, setting->key); /* names of guests */
	else if (world_parse_duration(setting->value, &us))
		add_word(words, "%s:%s", who, setting->key);
	else
		add_word(words, "%s:%s=%s", who, setting->key, setting->value);
}

static void add_settings(struct words *words, const char *who, const struct settings *settings)
{
	for (size_t i = 0; i < settings->n; i++)
		add_setting(words, who, &settings->items[i]);
}

static void add_config(struct words *words, const struct world *world)
{
	uint64_t us;

	if (world_config_is_bad(world))
		add_word(words, "c:bad");
	for (size_t i = 0; i < world->n_config; i++) {
		const char *line = world->config[i];
		const char *value = strchr(line, '=');

		if (!value || line[0] == '[' || strchr(line, ' '))
			continue;
		if (world_parse_duration(value + 1, &us) || value[1] == 'g')
			add_word(words, "c:%.*s", (int)(value - line), line);
		else
			add_word(words, "c:%s", line);
	}
}

void cause_describe(const struct history *history, size_t step, int guest, char *ret, size_t size)
{
	const struct world *world = history->world;
	struct words words = { .text = ret, .size = size };

	ret[0] = '\0';
	add_command(&words, "cmd", &world->steps[step]);
	add_word(&words, "code=%d", history->outcomes[step].code);
	if (guest >= 0)
		add_settings(&words, "g", &world->guests[guest].settings);
	add_earlier(&words, world, step);
	add_config(&words, world);
	add_settings(&words, "h", &world->host);
	for (size_t i = 0; i < world->n_guests; i++)
		if ((int)i != guest)
			add_settings(&words, "o", &world->guests[i].settings);
}

bool cause_has_all(const char *cause, const char *wanted)
{
	const char *word;
	size_t length;

	while ((length = world_next_word(&wanted, &word)))
		if (!has_word(cause, word, length))
			return false;
	return true;
}
