/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_WORLD_H
#define TESTS_WORLDS_WORLD_H

/*
 * A world: a host with guests, a configuration, and what its user does. It is plain
 * data, so that a copy is an assignment and shrinking removes elements.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_GUESTS_MAX 10
#define WORLD_SETTINGS_MAX 14
#define WORLD_CONFIG_MAX 24
#define WORLD_STEPS_MAX 28
#define WORLD_KEY_MAX 24
#define WORLD_TEXT_MAX 200

/* A line "key=value" of the scenario. */
struct setting {
	char key[WORLD_KEY_MAX];
	char value[WORLD_TEXT_MAX];
};

struct settings {
	struct setting items[WORLD_SETTINGS_MAX];
	size_t n;
};

struct world_guest {
	char name[24];
	struct settings settings;
};

enum step_type {
	STEP_RUN, /* a command runs to its end */
	STEP_KILL, /* a command is killed at its `number`-th step, see KilledAt= */
	STEP_PASS, /* `number` µs pass, and no command runs */
	STEP_DAMAGE, /* a file gets into a bad state; `text`: see damage.h */
	STEP_N_TYPES,
};

struct world_step {
	enum step_type type;
	uint64_t number;
	char text[WORLD_TEXT_MAX]; /* the command with its arguments, or the damage */
};

struct world {
	struct settings host;
	struct world_guest guests[WORLD_GUESTS_MAX];
	size_t n_guests;
	char config[WORLD_CONFIG_MAX][WORLD_TEXT_MAX]; /* lines of pmcoord.conf */
	size_t n_config;
	struct world_step steps[WORLD_STEPS_MAX];
	size_t n_steps;
};

/* Returns the value of a key, borrowed, or "" if the key is not given. */
const char *settings_get(const struct settings *settings, const char *key);
/* Sets or replaces a key. A key that does not fit is dropped. */
void settings_set(struct settings *settings, const char *key, const char *value);
void settings_remove(struct settings *settings, size_t i);

/* Returns the index of the guest with this name, or -1. */
int world_find_guest(const struct world *world, const char *name, size_t length);

/*
 * Appends a step or a line of the configuration; one that does not fit is dropped.
 * `text` is copied.
 */
void world_add_step(struct world *world, enum step_type type, uint64_t number, const char *text);
void world_add_config(struct world *world, const char *line);

/* Whether the command of the step is this one, e.g. "suspend-all". */
bool step_is(const struct world_step *step, const char *command);
/* Whether the command of the step has this word, e.g. "--force". */
bool step_has(const struct world_step *step, const char *word);
/* Whether the step runs a command. */
bool step_is_command(const struct world_step *step);

/*
 * Parses a duration as in pmcoord.conf(5). Returns false, and leaves *ret_us alone, if
 * the text is no duration.
 */
bool world_parse_duration(const char *text, uint64_t *ret_us);

/*
 * Takes the next word of *text, separated by spaces. Returns its length, and advances
 * *text past it; *ret_word points into the text. Returns 0 at the end.
 */
size_t world_next_word(const char **text, const char **ret_word);

#endif
