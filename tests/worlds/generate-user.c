/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/generate-user.h"

#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "tests/worlds/damage.h"

/* ---- configuration ------------------------------------------------------ */

/* A key with values that are valid. */
struct choice {
	const char *key;
	const char *values[8];
};

static const struct choice coordinator_keys[] = {
	{ "Deadline", { "30s", "12s", "3s", "500ms", "40ms", "2min" } },
	{ "GuestTimeout", { "10s", "1s", "20ms", "20s", "60s" } },
	{ "ReadyTimeout", { "30s", "1s", "5s", "2min" } },
	{ "OnDeadline", { "pause", "abort" } },
	{ "OnFailure", { "pause", "abort" } },
	{ "ResumeAfter", { "running", "ready" } },
	{ "AbortOnLidOpen", { "yes", "no" } },
	{ "HonourInhibitors", { "yes", "no" } },
	{ "KeepReports", { "50", "1", "0" } },
};

static const struct choice guest_keys[] = {
	{ "Policy", { "suspend", "pause", "ignore" } },
	{ "OnFailure", { "pause", "abort" } },
	{ "Timeout", { "10s", "1s", "20s", "50ms" } },
};

/* Lines that a user gets wrong. */
static const char *const bad_lines[] = {
	"Deadline=30sec onds",
	"Deadline=-1",
	"OnFailure=restart",
	"KeepReports=many",
	"Colour=green",
	"Deadline",
	"[Coordinater]",
	"[Guest web]",
	"[Guest \"a-guest-with-a-name-that-is-longer-than-any-other-name-of-a-guest\"]",
	"=====",
};

static const char *draw_value(struct dice *dice, const struct choice *choice)
{
	size_t n = 0;

	while (n < ELEMENTSOF(choice->values) && choice->values[n])
		n++;
	return choice->values[dice_below(dice, n)];
}

static void add_key(struct dice *dice, struct world *world, const struct choice *choice)
{
	char line[WORLD_TEXT_MAX];

	snprintf(line, sizeof(line), "%s=%s", choice->key, draw_value(dice, choice));
	world_add_config(world, line);
}

static void draw_rule(struct dice *dice, struct world *world, size_t guest)
{
	char line[WORLD_TEXT_MAX];

	snprintf(line, sizeof(line), "[Guest \"%s\"]", world->guests[guest].name);
	world_add_config(world, line);
	add_key(dice, world, &DICE_PICK(dice, guest_keys));
	if (dice_percent(dice, 20)) {
		snprintf(line, sizeof(line), "SuspendBefore=%s",
			 world->guests[dice_below(dice, world->n_guests)].name);
		world_add_config(world, line);
	}
}

void draw_config(struct dice *dice, struct world *world)
{
	if (dice_percent(dice, 50))
		return;
	world_add_config(world, "[Coordinator]");
	for (size_t i = 0; i < ELEMENTSOF(coordinator_keys); i++)
		if (dice_percent(dice, 12))
			add_key(dice, world, &coordinator_keys[i]);
	if (dice_percent(dice, 8))
		world_add_config(world, DICE_PICK(dice, bad_lines));
	for (size_t i = 0; i < world->n_guests; i++)
		if (dice_percent(dice, 12))
			draw_rule(dice, world, i);
	if (dice_percent(dice, 4))
		world_add_config(world, DICE_PICK(dice, bad_lines));
}

/* ---- steps -------------------------------------------------------------- */

/* Commands, each as often as it stands here. "@": names of guests follow. */
static const char *const commands[] = {
	"suspend-all",
	"suspend-all",
	"suspend-all",
	"suspend-all",
	"suspend-all",
	"suspend-all --guests-only",
	"suspend-all --guests-only",
	"suspend @",
	"suspend @",
	"suspend --force @",
	"resume @",
	"resume @",
	"resume @",
	"resume --force @",
	"resume-all",
	"resume-all",
	"recover",
	"sleep-unit",
	"cycle -n 2",
	"cycle -n 3 --sleep",
	"status",
	"report",
	"list",
	"plan",
	"suspend-all --dry-run",
};

static bool draws_json(struct dice *dice, const char *command)
{
	return dice_percent(dice, 60) && strcmp(command, "recover") != 0 &&
	       strcmp(command, "sleep-unit") != 0;
}

/* Replaces "@" by one to three names. */
static void add_names(struct dice *dice, const struct world *world, char *text, size_t size)
{
	char *at = strchr(text, '@');
	size_t used, n = 1 + (dice_percent(dice, 40) ? dice_below(dice, 3) : 0);

	if (!at)
		return;
	used = (size_t)(at - text);
	for (size_t i = 0; i < n && used + 8 < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
					 world->guests[dice_below(dice, world->n_guests)].name);
}

static void draw_command(struct dice *dice, const struct world *world, char *text, size_t size)
{
	static const char *const timeouts[] = { "5s", "1s", "50ms", "2min" };
	const char *command = DICE_PICK(dice, commands);

	snprintf(text, size, "%s", command);
	add_names(dice, world, text, size);
	if (draws_json(dice, command))
		strncat(text, " --json", size - strlen(text) - 1);
	if (dice_percent(dice, 4)) {
		strncat(text, " --timeout=", size - strlen(text) - 1);
		strncat(text, DICE_PICK(dice, timeouts), size - strlen(text) - 1);
	}
	if (dice_percent(dice, 2))
		strncat(text, " --config=/dev/null/none", size - strlen(text) - 1);
}

/* Repeats the last step, each time with other names if it has names. */
static void repeat_step(struct dice *dice, struct world *world)
{
	const char *last = world->steps[world->n_steps - 1].text;
	size_t n = 1 + dice_below(dice, 12);
	char text[WORLD_TEXT_MAX];
	char *name;

	while (n-- > 0 && world->n_steps < WORLD_STEPS_MAX - 5) {
		snprintf(text, sizeof(text), "%s", last);
		name = strstr(text, " g");
		if (name)
			snprintf(name, sizeof(text) - (size_t)(name - text), " %s",
				 world->guests[dice_below(dice, world->n_guests)].name);
		world_add_step(world, STEP_RUN, 0, text);
	}
}

static void draw_step(struct dice *dice, struct world *world)
{
	static const uint64_t spans_us[] = { 1000000, 30000000, 120000000, 1800000000 };
	char text[WORLD_TEXT_MAX];
	size_t n_damages = 0;

	if (dice_percent(dice, 10)) {
		while (damage_names[n_damages])
			n_damages++;
		world_add_step(world, STEP_DAMAGE, 0, damage_names[dice_below(dice, n_damages)]);
		return;
	}
	if (dice_percent(dice, 15)) {
		world_add_step(world, STEP_PASS, DICE_PICK(dice, spans_us), "");
		return;
	}
	draw_command(dice, world, text, sizeof(text));
	if (dice_percent(dice, 8)) {
		world_add_step(world, STEP_KILL, 1 + dice_below(dice, 10 + 12 * world->n_guests),
			       text);
		return;
	}
	world_add_step(world, STEP_RUN, 0, text);
	/* A user who does the same again and again, with other guests perhaps. */
	if (dice_percent(dice, 5))
		repeat_step(dice, world);
}

void draw_steps(struct dice *dice, struct world *world)
{
	size_t n = 1 + (dice_percent(dice, 60) ? dice_below(dice, 4) : 0) +
		   (dice_percent(dice, 10) ? dice_below(dice, 12) : 0);

	while (n-- > 0 && world->n_steps < WORLD_STEPS_MAX - 5)
		draw_step(dice, world);
	world_add_step(world, STEP_PASS, 1200000000, "");
	if (dice_percent(dice, 50))
		world_add_step(world, STEP_RUN, 0, "status --json");
	world_add_step(world, STEP_RUN, 0, "resume-all --json");
	if (dice_percent(dice, 30))
		world_add_step(world, STEP_RUN, 0, "resume-all --json");
	if (dice_percent(dice, 30))
		world_add_step(world, STEP_RUN, 0, "status --json");
}
