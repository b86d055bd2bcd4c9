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
 *           (quiesce.c). The journal records each change in the guest (an
 *           "effect") before the change is made.
 * Restore:  undoes the journal's effects, the last one first (restore.c). Devices
 *           are started without waiting for each other. Processes are thawed as
 *           soon as every device is restored or lost, or ThawAfter= has passed.
 *           Post hooks run last.
 */

/* What an engine works on. All pointers are borrowed. */
struct engine_setup {
	sd_event *event;
	const struct roots *roots;
	const struct settings *settings;
	const struct device_ops *device_ops;
	usage_claimed_fn claimed;
	struct journal *journal;
	struct log *log; /* or NULL */
};

/*
 * Called when quiescing has ended. r: 0, or negative errno with a sentence in `reason`
 * that says what failed.
 */
typedef void (*engine_quiesced_fn)(void *userdata, int r, const char *reason);

/*
 * Called when restoring has ended. `degraded`: something could not be restored. `detail`
 * lists the devices and their states in one line of at most PROTOCOL_DETAIL_MAX bytes.
 */
typedef void (*engine_restored_fn)(void *userdata, bool degraded, const char *detail);

struct engine;

/*
 * Creates an engine. `*setup` is copied; what its pointers point to must outlive the
 * engine. Returns 0 or -ENOMEM; release `*ret` with engine_free().
 */
int engine_new(const struct engine_setup *setup, struct engine **ret);

/*
 * Starts a cycle in the journal and quiesces the guest. `timeout_us` is the time limit
 * from now until the guest is suspended; a part of it is reserved for the kernel's own
 * suspend. `done` is called once, possibly before engine_quiesce() returns. `done` is
 * not called if engine_restore() interrupts the quiescing. engine_quiesce() must not be
 * called while the engine quiesces or restores.
 */
void engine_quiesce(struct engine *engine, uint64_t cycle, uint64_t timeout_us,
		    engine_quiesced_fn done, void *userdata);

/* Returns true if a program that blocks sleep must make engine_quiesce() fail. */
typedef bool (*engine_honours_fn)(void *userdata);

/*
 * Sets the policy for HonourInhibitors=yes. If a program blocks sleep, engine_quiesce()
 * calls `honours` to decide whether to fail. Without a policy it always fails in this case.
 */
void engine_set_inhibitor_policy(struct engine *engine, engine_honours_fn honours, void *userdata);

/*
 * Undoes the effects in the journal. If the engine is still quiescing, engine_restore()
 * interrupts the quiescing first. `done` is called once, possibly before engine_restore()
 * returns. After `done`, the caller ends the cycle with journal_finish().
 */
void engine_restore(struct engine *engine, engine_restored_fn done, void *userdata);

/*
 * Writes to `ret` the devices that a cycle would keep bound although they may not work
 * after the host's sleep; "" if there are none. The format is that of `detail` in
 * engine_restored_fn.
 */
void engine_describe_kept(const struct engine *engine, char *ret, size_t size);

struct engine_step {
	const char *what; /* the step's name */
	uint64_t duration_us;
};

/*
 * Sets `*ret` to the completed steps of the last engine_quiesce(), in the order in which
 * they ran. `*ret` is borrowed, and valid until the next engine_quiesce(). Returns the
 * number of steps.
 */
size_t engine_get_steps(const struct engine *engine, const struct engine_step **ret);

/* Frees the engine and kills its child processes. NULL is a no-op. Undoes no effects. */
void engine_free(struct engine *engine);

#endif
