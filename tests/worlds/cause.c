/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/cause.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "tests/worlds/domains.h"
#include "tests/worlds/laws.h"

/* Longer names of sections than any that the generator draws for a guest of the world. */
#define LONG_SECTION 40

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

/* Damages that a fault does not tell apart. */
static const char *damage_group(const char *damage)
{
	static const char *const unwritable[] = { "reports-file", "reports-readonly",
						  "reports-full" };

	for (size_t i = 0; i < ELEMENTSOF(unwritable); i++)
		if (strcmp(damage, unwritable[i]) == 0)
			return "reports-unwritable";
	return strncmp(damage, "journal-unknown", 15) == 0 ? "journal-unknown" : damage;
}

static void add_earlier(struct words *words, const struct world *world, size_t step)
{
	for (size_t i = 0; i < step; i++) {
		const struct world_step *earlier = &world->steps[i];

		if (earlier->type == STEP_DAMAGE)
			add_word(words, "damage=%s", damage_group(earlier->text));
		else if (earlier->type == STEP_KILL)
			add_word(words, "killed");
		else if (earlier->type == STEP_RUN)
			add_command(words, earlier);
	}
}

/* Settings that stand for the same, with a word for all of them. */
static const char *common_word(const struct setting *setting)
{
	static const struct {
		const char *key, *value, *word;
	} words[] = {
		{ "State", "shutting-down", "leaving" },
		{ "State", "rebooting", "leaving" },
		{ "State", "saving", "saved" },
		{ "State", "migrating", "saved" },
		{ "Behaviour", "fails-to-resume", "unresumable" },
		{ "Fail", "resume", "unresumable" },
		{ "Fail", "unpause", "unresumable" },
	};
	uint64_t us;

	for (size_t i = 0; i < ELEMENTSOF(words); i++)
		if (strcmp(setting->key, words[i].key) == 0 &&
		    strncmp(setting->value, words[i].value, strcspn(setting->value, ":")) == 0)
			return words[i].word;
	/* A guest that suspends later than its kernel's first time limit. */
	if ((strcmp(setting->key, "LateTime") == 0 || strcmp(setting->key, "SuspendTime") == 0 ||
	     strcmp(setting->key, "QuiesceTime") == 0) &&
	    world_parse_duration(setting->value, &us) && us > 25000000)
		return "late";
	return NULL;
}

/* Whether the value is names of guests, which differ from world to world. */
static bool names_guests(const char *key)
{
	static const char *const keys[] = { "Needs", "StubFor", "Claims", "ClaimsToServe",
					    "SuspendBefore" };

	for (size_t i = 0; i < ELEMENTSOF(keys); i++)
		if (strncmp(key, keys[i], strlen(keys[i])) == 0)
			return true;
	return false;
}

static void add_setting(struct words *words, const char *who, const struct setting *setting)
{
	const char *common = common_word(setting);
	uint64_t us;

	if (common)
		add_word(words, "%s:%s", who, common);
	else if (strcmp(setting->key, "Fail") == 0)
		add_word(words, "%s:Fail=%.*s", who, (int)strcspn(setting->value, ":"),
			 setting->value);
	else if (strcmp(setting->value, "goes-down-late") == 0)
		return; /* LateTime= says it better */
	else if (names_guests(setting->key))
		add_word(words, "%s:%s", who, setting->key);
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

	for (size_t i = 0; i < world->n_config; i++) {
		const char *line = world->config[i];
		const char *value = strchr(line, '=');

		if (line[0] == '[' && strlen(line) > LONG_SECTION)
			add_word(words, "c:bad-long-name");
		else if (world_config_line_is_bad(line))
			add_word(words, "c:bad");
		else if (!value || line[0] == '[')
			continue;
		else if (world_parse_duration(value + 1, &us) || names_guests(line))
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
	if (step_has(&world->steps[step], "--config=/dev/null/none"))
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

/* Words that only say how the fault was reached, unless there are no others. */
static bool is_detail(const char *word, size_t length)
{
	static const char *const faults[] = {
		"killed",
		"h:Fail=",
		"h:S3=",
		"c:Policy=",
		"g:State=",
		"g:Behaviour=",
		"g:Fail=",
		"g:AppearsAfter",
		"g:late",
		"g:leaving",
		"g:saved",
		"g:unresumable",
		"h:unresumable",
		"g:UserPausesAfter",
		"g:DestroyedAfter",
		"g:KernelEventChannel",
	};

	for (size_t i = 0; i < ELEMENTSOF(faults); i++)
		if (length >= strlen(faults[i]) && strncmp(word, faults[i], strlen(faults[i])) == 0)
			return false;
	return true;
}

/* The first word says what the command does. The others, in order of importance. */
static int rank_of(const char *word, size_t length)
{
	if (strncmp(word, "damage=", 7) == 0 || strncmp(word, "c:bad", 5) == 0 ||
	    strncmp(word, "c:nonexistent", 13) == 0)
		return 0;
	return is_detail(word, length) ? 2 : 1;
}

static int find_best_rank(const char *words)
{
	const char *word;
	size_t length;
	int best = 2;

	while ((length = world_next_word(&words, &word)))
		if (rank_of(word, length) < best)
			best = rank_of(word, length);
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
		if (rank_of(word, length) == best)
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
