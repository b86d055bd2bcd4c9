/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_ENGINE_H
#define GUEST_AGENT_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "guest/files.h"
#include "guest/log.h"
#include "guest/settings.h"
#include "devices/device.h"
#include "devices/usage.h"
#include "engine/journal.h"

/*
 * Quiesces the guest's processes and devices, and restores them.
 *
 * Quiesce:  inhibitors, pre hooks, network managers, sync, sound and video
 *           devices, freeze, other devices, modules, the kernel's time limit
 *           (quiesce.c). The journal records each effect before it is made.
 * Restore:  undoes the journal's effects, the last one first (restore.c). All
 *           devices are started at once. Processes are thawed when each device is
 *           restored or lost, or after ThawAfter=; post hooks run when each device
 *           is restored or lost.
 */

/* All pointers are borrowed. */
struct engine_setup {
	sd_event *event;
	const struct roots *roots;
	const struct settings *settings;
	const struct device_ops *device_ops;
	usage_claimed_fn claimed;
	struct journal *journal;
	struct log *log; /* or NULL */
};

/* r: 0, or negative errno with a sentence that names the step and what failed in it. */
typedef void (*engine_quiesced_fn)(void *userdata, int r, const char *reason);

/*
 * degraded: something could not be restored. `detail` lists the devices and their
 * state in one line of at most PROTOCOL_DETAIL_MAX bytes.
 */
typedef void (*engine_restored_fn)(void *userdata, bool degraded, const char *detail);

struct engine;

/* What `setup` points to must outlive the engine. Returns 0 or -ENOMEM. */
int engine_new(const struct engine_setup *setup, struct engine **ret);

/*
 * Starts a cycle in the journal and quiesces the guest. `timeout_us` is the limit
 * until the guest is suspended: a part is reserved for the kernel's own suspend.
 * `done` is called once, possibly before this returns. Must not be called while the
 * engine quiesces or restores.
 */
void engine_quiesce(struct engine *engine, uint64_t cycle, uint64_t timeout_us,
		    engine_quiesced_fn done, void *userdata);

/*
 * With HonourInhibitors=yes, `honours` decides whether a program that blocks sleep
 * makes engine_quiesce() fail. It is called in that step, and only if there is such
 * a program. Without it, engine_quiesce() fails.
 */
typedef bool (*engine_honours_fn)(void *userdata);
void engine_set_inhibitor_policy(struct engine *engine, engine_honours_fn honours, void *userdata);

/*
 * Undoes the journal's effects, also while engine_quiesce() is under way, whose
 * `done` is then not called. `done` is called once, possibly before this returns.
 * The caller ends the cycle with journal_finish().
 */
void engine_restore(struct engine *engine, engine_restored_fn done, void *userdata);

/*
 * Lists the devices that a cycle would keep bound although they may not survive the
 * host's sleep, as in the detail of engine_restore(); "" if there are none.
 */
void engine_describe_kept(const struct engine *engine, char *ret, size_t size);

struct engine_step {
	const char *what;
	uint64_t duration_us;
};

/*
 * The completed steps of the last engine_quiesce(), in their order. `*ret` is
 * borrowed, and valid until the next one. Returns their number.
 */
size_t engine_get_steps(const struct engine *engine, const struct engine_step **ret);

/* Kills running children; effects remain in the journal. NULL is a no-op. */
void engine_free(struct engine *engine);

#endif
