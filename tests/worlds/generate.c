/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/generate.h"

#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "tests/worlds/dice.h"
#include "tests/worlds/generate-user.h"

/* ---- guests ------------------------------------------------------------- */

/* Guests of all types, with all ways to receive a request. */
static const char *const kinds[][2][2] = {
	{ { "" } },
	{ { "" } },
	{ { "Agent", "yes" } },
	{ { "Agent", "yes" }, { "PCIFunctions", "1" } },
	{ { "PCIFunctions", "1" } },
	{ { "Agent", "yes" }, { "AgentVersion", "7" } },
	{ { "Agent", "yes" }, { "Type", "hvm" } },
	{ { "Type", "pvh" } },
	{ { "Type", "hvm" } },
	{ { "Type", "hvm" }, { "PVDrivers", "no" } },
	{ { "KernelEventChannel", "yes" } },
	{ { "FeatureSuspend", "no" } },
	{ { "FeatureSuspend", "unknown" } },
};

static const char *const states[] = {
	"paused",  "suspended",	    "shut-down", "dying",  "booting",
	"acpi-s3", "shutting-down", "rebooting", "saving", "migrating",
};

static const char *const behaviours[] = {
	"ignores-requests",
	"hangs-after-ack",
	"goes-down-late",
	"goes-down-late",
	"dies",
	"refuses",
	"agent-is-dead",
	"agent-port-is-stale",
	"comes-back-degraded",
	"never-ready",
	"fails-to-resume",
};

static const char *const durations[] = {
	"0ms", "1ms", "5ms", "25ms", "60ms", "200ms", "1s",  "2s",   "5s",    "9s",
	"10s", "11s", "13s", "20s",  "27s",  "31s",   "45s", "2min", "12min",
};

static const char *const time_keys[] = {
	"QuiesceTime", "SuspendTime", "ResumeTime", "ReadyTime", "BootTime", "LeaveTime",
};

static const char *const event_keys[] = { "AppearsAfter", "DestroyedAfter", "UserPausesAfter" };

static const char *const verbs[] = {
	"inventory", "examine", "prepare",	 "arm",	       "request",
	"retract",   "look",	"look-at-agent", "settle",     "pause",
	"unpause",   "resume",	"keep-books",	 "wake-agent", "next-event",
};

static const char *const devices[] = { "vif", "vbd", "pci", "vusb", "console", "qdisk" };

/* A call of a verb that fails: always, once, or from then on. */
static void draw_failures(struct dice *dice, struct settings *settings)
{
	char text[WORLD_TEXT_MAX];
	const char *verb = DICE_PICK(dice, verbs);
	size_t n = 1 + dice_below(dice, 4);

	switch (dice_below(dice, 3)) {
	case 0:
		snprintf(text, sizeof(text), "%s", verb);
		break;
	case 1:
		snprintf(text, sizeof(text), "%s:%zu", verb, n);
		break;
	default:
		snprintf(text, sizeof(text), "%s:%zu+", verb, n);
		break;
	}
	settings_set(settings, "Fail", text);
}

static void draw_times(struct dice *dice, struct settings *settings)
{
	const char *state = settings_get(settings, "State");

	for (size_t i = 0; i < ELEMENTSOF(time_keys); i++) {
		if (strcmp(time_keys[i], "BootTime") == 0 && strcmp(state, "booting") != 0)
			continue;
		if (strcmp(time_keys[i], "LeaveTime") == 0 && !state[0])
			continue;
		if (dice_percent(dice, 12))
			settings_set(settings, time_keys[i], DICE_PICK(dice, durations));
	}
	if (strcmp(settings_get(settings, "Behaviour"), "goes-down-late") == 0)
		settings_set(settings, "LateTime", DICE_PICK(dice, durations));
	for (size_t i = 0; i < ELEMENTSOF(event_keys); i++)
		if (dice_percent(dice, 6))
			settings_set(settings, event_keys[i], DICE_PICK(dice, durations));
}

static void draw_kind(struct dice *dice, struct settings *settings)
{
	size_t kind = dice_below(dice, ELEMENTSOF(kinds));

	for (size_t i = 0; i < 2; i++)
		if (kinds[kind][i][0] && kinds[kind][i][0][0])
			settings_set(settings, kinds[kind][i][0], kinds[kind][i][1]);
	if (dice_percent(dice, 18))
		settings_set(settings, "State", DICE_PICK(dice, states));
	if (dice_percent(dice, 25))
		settings_set(settings, "Behaviour", DICE_PICK(dice, behaviours));
	if (dice_percent(dice, 8))
		draw_failures(dice, settings);
	draw_times(dice, settings);
}

/* ---- links -------------------------------------------------------------- */

/* Appends "device:name" to the value of a key, unless the name is there already. */
static void add_link(struct dice *dice, struct settings *settings, const char *key,
		     const char *name)
{
	char text[WORLD_TEXT_MAX];
	const char *old = settings_get(settings, key);

	if (strstr(old, name))
		return;
	if (dice_percent(dice, 50))
		snprintf(text, sizeof(text), "%s%s%s", old, old[0] ? " " : "", name);
	else
		snprintf(text, sizeof(text), "%s%s%s:%s", old, old[0] ? " " : "",
			 DICE_PICK(dice, devices), name);
	settings_set(settings, key, text);
}

/* Guests need earlier ones, so that most worlds have no dependency loop. */
static void draw_links(struct dice *dice, struct world *world, size_t i)
{
	struct settings *settings = &world->guests[i].settings;
	bool loops = dice_percent(dice, 8);

	for (size_t j = 0; j < (loops ? world->n_guests : i); j++)
		if (j != i && dice_percent(dice, 35))
			add_link(dice, settings, "Needs", world->guests[j].name);
	if (i > 0 && dice_percent(dice, 4))
		settings_set(settings, "StubFor", world->guests[dice_below(dice, i)].name);
	if (dice_percent(dice, 5))
		settings_set(settings, "ToolstackRecord", "no");
	if (world->n_guests > 1 && dice_percent(dice, 4))
		settings_set(settings, "Claims", world->guests[(i + 1) % world->n_guests].name);
	if (world->n_guests > 1 && dice_percent(dice, 4))
		settings_set(settings, "ClaimsToServe",
			     world->guests[(i + 1) % world->n_guests].name);
}

/* ---- the host ----------------------------------------------------------- */

static void draw_host(struct dice *dice, struct world *world)
{
	static const char *const sleeps[] = { "0s", "1s", "5min", "8h" };

	if (dice_percent(dice, 10))
		settings_set(&world->host, "S3", dice_percent(dice, 60) ? "refuse" : "no");
	if (dice_percent(dice, 15))
		settings_set(&world->host, "SleepTime", DICE_PICK(dice, sleeps));
	if (dice_percent(dice, 5))
		draw_failures(dice, &world->host);
}

/* A third of the worlds has one or two guests only, and is easy to understand. */
size_t world_draw_size(struct dice *dice)
{
	size_t most = dice_percent(dice, 33) ? 2 : dice_percent(dice, 60) ? 5 : WORLD_GUESTS_MAX;

	return 1 + dice_below(dice, most);
}

void world_generate(uint64_t seed, struct world *ret_world)
{
	struct dice dice = { .state = seed };
	struct world *world = ret_world;

	*world = (struct world){ 0 };
	world->n_guests = world_draw_size(&dice);
	for (size_t i = 0; i < world->n_guests; i++)
		snprintf(world->guests[i].name, sizeof(world->guests[i].name), "g%zu", i + 1);
	draw_host(&dice, world);
	for (size_t i = 0; i < world->n_guests; i++) {
		draw_kind(&dice, &world->guests[i].settings);
		draw_links(&dice, world, i);
	}
	draw_config(&dice, world);
	draw_steps(&dice, world);
}
