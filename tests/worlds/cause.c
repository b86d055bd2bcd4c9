/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/cause.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "tests/worlds/domains.h"
#include "tests/worlds/laws.h"

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

static const char *what_it_does(const struct world_step *step)
{
	if (step_is(step, "resume") || step_is(step, "resume-all") || step_is(step, "recover"))
		return "resumes";
	if (step_has(step, "--dry-run") || step_is(step, "status") || step_is(step, "report") ||
	    step_is(step, "list") || step_is(step, "plan"))
		return "looks";
	return "suspends";
}

static void add_command(struct words *words, const struct world_step *step)
{
	add_word(words, "after=%.*s%s%s", (int)strcspn(step->text, " "), step->text,
		 step_has(step, "--guests-only") ? "+guests-only" : "",
		 step_has(step, "--force") ? "+force" : "");
}

static void add_earlier(struct words *words, const struct world *world, size_t step)
{
	for (size_t i = 0; i < step; i++) {
		const struct world_step *earlier = &world->steps[i];

		if (earlier->type == STEP_DAMAGE)
			add_word(words, "damage=%s", earlier->text);
		else if (earlier->type == STEP_KILL)
			add_word(words, "killed");
		else if (earlier->type == STEP_RUN)
			add_command(words, earlier);
	}
}

/* A guest that suspends later than its kernel's first time limit. */
static bool is_slow(const char *key, uint64_t us)
{
	return us > 25000000 && (strcmp(key, "LateTime") == 0 || strcmp(key, "SuspendTime") == 0 ||
				 strcmp(key, "QuiesceTime") == 0);
}

static void add_setting(struct words *words, const char *who, const struct setting *setting)
{
	uint64_t us;

	if (strcmp(setting->key, "Fail") == 0)
		add_word(words, "%s:Fail=%.*s", who, (int)strcspn(setting->value, ":"),
			 setting->value);
	else if (strpbrk(setting->value, " :g") && strcmp(setting->key, "State") != 0 &&
		 strcmp(setting->key, "Behaviour") != 0)
		add_word(words, "%s:%s", who, setting->key); /* names of guests */
	else if (world_parse_duration(setting->value, &us))
		add_word(words, "%s:%s%s", who, setting->key,
			 is_slow(setting->key, us) ? ">25s" : "");
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

	for (size_t i = 0; i < world->n_config; i++) {
		const char *line = world->config[i];
		const char *value = strchr(line, '=');

		if (world_config_line_is_bad(line))
			add_word(words, "c:bad");
		else if (!value || line[0] == '[')
			continue;
		else if (world_parse_duration(value + 1, &us) || value[1] == 'g')
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
	add_word(&words, "%s", what_it_does(&world->steps[step]));
	if (step_has(&world->steps[step], "--config=/nonexistent"))
		add_word(&words, "c:nonexistent");
	if (guest >= 0)
		add_settings(&words, "g", &world->guests[guest].settings);
	add_earlier(&words, world, step);
	add_config(&words, world);
	add_settings(&words, "h", &world->host);
	for (size_t i = 0; i < world->n_guests; i++)
		if ((int)i != guest)
			add_settings(&words, "o", &world->guests[i].settings);
}

/* The first word says what the command does. The others, in order of importance. */
static int rank_of(const char *word)
{
	if (strncmp(word, "damage=", 7) == 0 || strncmp(word, "c:bad", 5) == 0 ||
	    strncmp(word, "c:nonexistent", 13) == 0)
		return 0;
	if (strncmp(word, "g:", 2) == 0 || strncmp(word, "h:", 2) == 0 ||
	    strncmp(word, "c:", 2) == 0 || strncmp(word, "killed", 6) == 0)
		return 1;
	return 2;
}

static int find_best_rank(const char *words)
{
	const char *word;
	int best = 2;

	while (world_next_word(&words, &word))
		if (rank_of(word) < best)
			best = rank_of(word);
	return best;
}

void cause_shorten(char *cause)
{
	struct words words = { .text = (char[CAUSE_MAX]){ "" }, .size = CAUSE_MAX };
	const char *rest = cause, *word;
	size_t length = world_next_word(&rest, &word);
	int best = find_best_rank(rest);

	add_word(&words, "%.*s", (int)length, word);
	while ((length = world_next_word(&rest, &word)))
		if (rank_of(word) == best)
			add_word(&words, "%.*s", (int)length, word);
	memcpy(cause, words.text, words.length + 1);
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
