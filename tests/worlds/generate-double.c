/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/worlds/generate-double.h"

#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "tests/worlds/dice.h"
#include "tests/worlds/generate-user.h"
#include "tests/worlds/generate.h"

static const char *const kinds[][2][2] = {
	{ { "" } },
	{ { "" } },
	{ { "Agent", "yes" } },
	{ { "Agent", "yes" }, { "PCIFunctions", "1" } },
	{ { "PCIFunctions", "1" } },
	{ { "Agent", "yes" }, { "Type", "hvm" } },
	{ { "Agent", "yes" }, { "Type", "pvh" } },
	{ { "Type", "pvh" } },
	{ { "Type", "hvm" } },
	{ { "Type", "hvm" }, { "PVDrivers", "no" } },
	{ { "KernelEventChannel", "yes" } },
	{ { "FeatureSuspend", "no" } },
	{ { "FeatureSuspend", "unknown" } },
};

static const char *const states[] = {
	"paused", "suspended", "booting", "shutting-down", "rebooting", "saving", "migrating",
};

static const char *const answers[] = {
	"removes", "removes", "only-clears", "never", "nonsense", "refuses",
};

static const char *const behaviours[] = {
	"refuses", "agent-hangs", "agent-is-dead", "agent-lies", "comes-back-degraded",
};

static const char *const durations[] = {
	"0ms", "1ms", "5ms", "25ms", "60ms", "200ms", "1s",  "2s",
	"5s",  "9s",  "10s", "11s",  "20s",  "31s",   "45s", "2min",
};

static const char *const time_keys[] = {
	"QuiesceTime",
	"SuspendTime",
	"AcknowledgeTime",
	"ReadyTime",
};

static const char *const event_keys[] = {
	"AppearsAfter",	 "DestroyedAfter", "UserPausesAfter", "SavedAfter",
	"MigratedAfter", "ShutDownAfter",  "RebootedAfter",   "StormAfter",
};

static const char *const host_functions[] = {
	"xc_domain_getinfolist",
	"xc_domain_pause",
	"xc_domain_unpause",
	"xencall1",
	"xs_read",
	"xs_write",
	"xs_directory",
	"xs_transaction_start",
	"xs_transaction_end",
	"xs_watch",
	"xs_resume_domain",
	"xenevtchn_notify",
	"xenevtchn_unmask",
	"xenevtchn_bind_interdomain",
};

static const char *const guest_functions[] = {
	"xc_domain_pause",    "xc_domain_unpause",	 "xencall1",
	"xencall1",	      "xc_evtchn_alloc_unbound", "xc_domain_subscribe_for_suspend",
	"xc_vcpu_setcontext",
};

/* Fails always, once, or from then on. */
static void draw_failure(struct dice *dice, struct settings *settings, const char *function)
{
	char text[WORLD_TEXT_MAX];
	size_t n = 1 + dice_below(dice, 6);

	switch (dice_below(dice, 3)) {
	case 0:
		snprintf(text, sizeof(text), "%s", function);
		break;
	case 1:
		snprintf(text, sizeof(text), "%s:%zu", function, n);
		break;
	default:
		snprintf(text, sizeof(text), "%s:%zu+", function, n);
		break;
	}
	settings_set(settings, "Fail", text);
}

/* A request that only the kernel's own answer could end leaves a save waiting. */
static bool answers_well(const struct settings *settings)
{
	return !settings_get(settings, "Answer")[0] && !settings_get(settings, "PVDrivers")[0] &&
	       !settings_get(settings, "KernelEventChannel")[0];
}

static void draw_conduct(struct dice *dice, struct settings *settings)
{
	if (dice_percent(dice, 18))
		settings_set(settings, "Answer", DICE_PICK(dice, answers));
	if (settings_get(settings, "Agent")[0] && dice_percent(dice, 30))
		settings_set(settings, "Behaviour", DICE_PICK(dice, behaviours));
	if (dice_percent(dice, 5))
		settings_set(settings, "ShutdownNode",
			     dice_percent(dice, 50) ? "unwritable" : "missing");
	if (answers_well(settings) && dice_percent(dice, 15))
		settings_set(settings, "State", DICE_PICK(dice, states));
	if (dice_percent(dice, 6))
		draw_failure(dice, settings, DICE_PICK(dice, guest_functions));
}

/* A guest that has not run yet has no agent, and does not leave. */
static void draw_building(struct dice *dice, struct settings *settings)
{
	if (!answers_well(settings) || settings_get(settings, "Agent")[0] ||
	    settings_get(settings, "State")[0] || !dice_percent(dice, 8))
		return;
	settings_set(settings, "State", "being-built");
	if (dice_percent(dice, 60))
		settings_set(settings, "BuiltAfter", DICE_PICK(dice, durations));
	if (dice_percent(dice, 30))
		settings_set(settings, "AppearsAfter", DICE_PICK(dice, durations));
	if (dice_percent(dice, 10))
		settings_set(settings, "DestroyedAfter", DICE_PICK(dice, durations));
}

static void draw_times(struct dice *dice, struct settings *settings)
{
	for (size_t i = 0; i < ELEMENTSOF(time_keys); i++)
		if (dice_percent(dice, 10))
			settings_set(settings, time_keys[i], DICE_PICK(dice, durations));
	if (strcmp(settings_get(settings, "State"), "booting") == 0 && dice_percent(dice, 50))
		settings_set(settings, "BootTime", DICE_PICK(dice, durations));
	if (dice_percent(dice, 10))
		settings_set(settings, "LeaveTime", DICE_PICK(dice, durations));
	/* At most one, so that a guest does not leave twice. */
	if (answers_well(settings) && !settings_get(settings, "State")[0] && dice_percent(dice, 15))
		settings_set(settings, DICE_PICK(dice, event_keys), DICE_PICK(dice, durations));
}

static void draw_guest(struct dice *dice, struct settings *settings)
{
	size_t kind = dice_below(dice, ELEMENTSOF(kinds));

	for (size_t i = 0; i < 2; i++)
		if (kinds[kind][i][0] && kinds[kind][i][0][0])
			settings_set(settings, kinds[kind][i][0], kinds[kind][i][1]);
	draw_conduct(dice, settings);
	draw_building(dice, settings);
	draw_times(dice, settings);
	if (dice_percent(dice, 5))
		settings_set(settings, "ToolstackRecord", "no");
}

/* Guests need earlier ones. */
static void draw_links(struct dice *dice, struct world *world, size_t i)
{
	char text[WORLD_TEXT_MAX] = "";
	size_t used = 0;

	for (size_t j = 0; j < i; j++)
		if (dice_percent(dice, 35))
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "%s%s%s", used ? " " : "",
				dice_percent(dice, 30) ? "vbd:" : "vif:", world->guests[j].name);
	if (used > 0)
		settings_set(&world->guests[i].settings, "Needs", text);
}

static void draw_host(struct dice *dice, struct settings *settings)
{
	static const char *const sleeps[] = { "0s", "1s", "5min", "8h" };
	static const char *const conflicts[] = { "1", "3", "20", "1000" };

	if (dice_percent(dice, 8))
		settings_set(settings, "S3", "refuse");
	if (dice_percent(dice, 15))
		settings_set(settings, "SleepTime", DICE_PICK(dice, sleeps));
	if (dice_percent(dice, 5))
		settings_set(settings, "StoreSilentAfter", DICE_PICK(dice, durations));
	if (dice_percent(dice, 5))
		settings_set(settings, "StoreLostAfter", DICE_PICK(dice, durations));
	if (dice_percent(dice, 5))
		settings_set(settings, "StoreConflicts", DICE_PICK(dice, conflicts));
	if (dice_percent(dice, 5))
		draw_failure(dice, settings, DICE_PICK(dice, host_functions));
}

void world_generate_double(uint64_t seed, struct world *ret_world)
{
	struct dice dice = { .state = seed };
	struct world *world = ret_world;

	*world = (struct world){ 0 };
	world->n_guests = world_draw_size(&dice);
	for (size_t i = 0; i < world->n_guests; i++)
		snprintf(world->guests[i].name, sizeof(world->guests[i].name), "g%zu", i + 1);
	draw_host(&dice, &world->host);
	for (size_t i = 0; i < world->n_guests; i++) {
		draw_guest(&dice, &world->guests[i].settings);
		draw_links(&dice, world, i);
	}
	draw_config(&dice, world);
	draw_steps(&dice, world);
	/* A kill counts calls of the libraries, which are more than the simulator's steps. */
	for (size_t i = 0; i < world->n_steps; i++)
		if (world->steps[i].type == STEP_KILL)
			world->steps[i].number += dice_below(&dice, 60 * (world->n_guests + 1));
}
