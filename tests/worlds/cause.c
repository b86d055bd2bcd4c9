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

static void add_earlier(struct words *words, const struct world_step *earlier)
{
	if (earlier->type == STEP_DAMAGE)
		add_word(words, "damage=%s", damage_group(earlier->text));
	else if (earlier->type == STEP_KILL)
		add_word(words, "killed");
	else if (earlier->type == STEP_RUN)
		add_command(words, earlier);
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
		{ "Fail", "xencall1", "unresumable" },
		{ "Fail", "xc_domain_unpause", "unresumable" },
		{ "Fail", "xc_vcpu_setcontext", "unresumable" },
	};
	static const struct {
		const char *key, *word;
	} moments[] = {
		{ "SavedAfter", "saved" },
		{ "MigratedAfter", "saved" },
		{ "ShutDownAfter", "leaving" },
		{ "RebootedAfter", "leaving" },
	};
	uint64_t us;

	for (size_t i = 0; i < ELEMENTSOF(words); i++)
		if (strcmp(setting->key, words[i].key) == 0 &&
		    strncmp(setting->value, words[i].value, strcspn(setting->value, ":")) == 0)
			return words[i].word;
	for (size_t i = 0; i < ELEMENTSOF(moments); i++)
		if (strcmp(setting->key, moments[i].key) == 0)
			return moments[i].word;
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

static void add_config_line(struct words *words, const char *line)
{
	const char *value = strchr(line, '=');
	uint64_t us;

	if (line[0] == '[' && strlen(line) > LONG_SECTION)
		add_word(words, "c:bad-long-name");
	else if (world_config_line_is_bad(line))
		add_word(words, "c:bad");
	else if (!value || line[0] == '[')
		return;
	else if (world_parse_duration(value + 1, &us) || names_guests(line))
		add_word(words, "c:%.*s", (int)(value - line), line);
	else
		add_word(words, "c:%s", line);
}

static void add_config(struct words *words, const struct world *world)
{
	for (size_t i = 0; i < world->n_config; i++)
		add_config_line(words, world->config[i]);
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
	for (size_t i = 0; i < step; i++)
		add_earlier(&words, &world->steps[i]);
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
		"g:Answer=",
		"g:ShutdownNode=",
		"g:StormAfter",
		"h:Store",
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
		if (rank_of(word, length) == best || (best == 1 && strncmp(word, "g:", 2) == 0))
			add_word(&words, "%.*s", (int)length, word);
	memcpy(cause, words.text, words.length + 1);
}

/* ---- a world without a cause --------------------------------------------- */

/* The one word of a part of the world; "" if it has none. */
struct one_word {
	char text[192];
	struct words words;
};

static struct words *one_word_begin(struct one_word *one)
{
	one->text[0] = '\0';
	one->words = (struct words){ .text = one->text, .size = sizeof(one->text) };
	return &one->words;
}

static bool one_word_is_in(const struct one_word *one, const char *wanted)
{
	return one->text[0] && has_word(wanted, one->text, strlen(one->text));
}

static void remove_settings(struct settings *settings, const char *who, const char *wanted)
{
	struct one_word one;

	for (size_t i = settings->n; i-- > 0;) {
		add_setting(one_word_begin(&one), who, &settings->items[i]);
		if (one_word_is_in(&one, wanted))
			settings_remove(settings, i);
	}
}

static void remove_config(struct world *world, const char *wanted)
{
	struct one_word one;
	size_t n = 0;

	for (size_t i = 0; i < world->n_config; i++) {
		add_config_line(one_word_begin(&one), world->config[i]);
		if (!one_word_is_in(&one, wanted))
			memmove(world->config[n++], world->config[i], sizeof(world->config[i]));
	}
	world->n_config = n;
}

/* A command that was to be killed is not; other steps before `step` are left out. */
static void remove_steps(struct world *world, size_t step, const char *wanted)
{
	struct one_word one;
	size_t n = 0;

	for (size_t i = 0; i < world->n_steps; i++) {
		struct world_step *earlier = &world->steps[i];
		bool goes = false;

		if (i < step) {
			add_earlier(one_word_begin(&one), earlier);
			goes = one_word_is_in(&one, wanted);
		}
		if (goes && earlier->type == STEP_KILL)
			earlier->type = STEP_RUN;
		else if (goes)
			continue;
		world->steps[n++] = *earlier;
	}
	world->n_steps = n;
}

static void remove_option(struct world_step *step, const char *option)
{
	char *found = strstr(step->text, option);

	if (found)
		memmove(found, found + strlen(option), strlen(found + strlen(option)) + 1);
}

void cause_remove(struct world *world, size_t step, int guest, const char *wanted)
{
	for (size_t i = 0; i < world->n_guests; i++)
		remove_settings(&world->guests[i].settings, (int)i == guest ? "g" : "o", wanted);
	remove_settings(&world->host, "h", wanted);
	remove_config(world, wanted);
	for (size_t i = 0; i < world->n_steps; i++)
		if (has_word(wanted, "c:nonexistent", strlen("c:nonexistent")))
			remove_option(&world->steps[i], " --config=/dev/null/none");
	remove_steps(world, step, wanted);
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
