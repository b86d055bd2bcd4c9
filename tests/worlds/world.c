/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"

static struct setting *find(const struct settings *settings, const char *key)
{
	for (size_t i = 0; i < settings->n; i++)
		if (strcmp(settings->items[i].key, key) == 0)
			return (struct setting *)&settings->items[i];
	return NULL;
}

const char *settings_get(const struct settings *settings, const char *key)
{
	const struct setting *found = find(settings, key);

	return found ? found->value : "";
}

void settings_set(struct settings *settings, const char *key, const char *value)
{
	struct setting *setting = find(settings, key);

	if (!setting && settings->n == WORLD_SETTINGS_MAX)
		return;
	if (!setting)
		setting = &settings->items[settings->n++];
	snprintf(setting->key, sizeof(setting->key), "%s", key);
	snprintf(setting->value, sizeof(setting->value), "%s", value);
}

void settings_remove(struct settings *settings, size_t i)
{
	settings->n--;
	memmove(&settings->items[i], &settings->items[i + 1],
		(settings->n - i) * sizeof(settings->items[0]));
}

int world_find_guest(const struct world *world, const char *name, size_t length)
{
	for (size_t i = 0; i < world->n_guests; i++)
		if (strlen(world->guests[i].name) == length &&
		    strncmp(world->guests[i].name, name, length) == 0)
			return (int)i;
	return -1;
}

void world_add_step(struct world *world, enum step_type type, uint64_t number, const char *text)
{
	struct world_step *step = &world->steps[world->n_steps];

	if (world->n_steps == WORLD_STEPS_MAX)
		return;
	world->n_steps++;
	step->type = type;
	step->number = number;
	snprintf(step->text, sizeof(step->text), "%s", text);
}

void world_add_config(struct world *world, const char *line)
{
	if (world->n_config < WORLD_CONFIG_MAX)
		snprintf(world->config[world->n_config++], WORLD_TEXT_MAX, "%s", line);
}

size_t world_next_word(const char **text, const char **ret_word)
{
	size_t length;

	*text += strspn(*text, " ");
	length = strcspn(*text, " ");
	*ret_word = *text;
	*text += length;
	return length;
}

bool step_is_command(const struct world_step *step)
{
	return step->type == STEP_RUN || step->type == STEP_KILL;
}

bool step_is(const struct world_step *step, const char *command)
{
	size_t length = strcspn(step->text, " ");

	return step_is_command(step) && strlen(command) == length &&
	       strncmp(step->text, command, length) == 0;
}

bool step_has(const struct world_step *step, const char *word)
{
	const char *text = step->text, *found;
	size_t length;

	while ((length = world_next_word(&text, &found)))
		if (length == strlen(word) && strncmp(found, word, length) == 0)
			return true;
	return false;
}

bool world_parse_duration(const char *text, uint64_t *ret_us)
{
	static const struct {
		const char *suffix;
		uint64_t us;
	} units[] = { { "us", 1 },	    { "ms", 1000 },	{ "s", 1000000 },
		      { "min", 60000000u }, { "m", 60000000u }, { "h", 3600000000u } };
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9')
		return false;
	for (size_t i = 0; i < ELEMENTSOF(units); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		*ret_us = value * units[i].us;
		return true;
	}
	return false;
}
