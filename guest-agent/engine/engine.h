/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_ENGINE_ENGINE_H
#define GUEST_AGENT_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "devices/device.h"
#include "devices/inventory.h"
#include "engine/journal.h"
#include "guest/log.h"
#include "guest/settings.h"

/*
 * Takes the guest's user space and devices down, and brings them back.
 *
 * Down:  pre hooks, network manager, sync, sound and video, freeze, devices,
 *        modules, the kernel's own time limit. Each effect is recorded first.
 * Up:    the record backwards, from wherever it ends. Devices are started all
 *        at once; processes are thawed when they are back, or after ThawAfter
 *        for those that are late; post hooks run when nothing is pending.
 */

struct engine_setup {
	sd_event *event;
	const struct roots *roots;
	const struct settings *settings;
	const struct device_ops *device_ops;
	usage_claimed_fn claimed;
	struct journal *journal;
	struct log *log;
};

/* r: 0, or negative with a sentence that names who is to blame. */
typedef void (*engine_quiesced_fn)(void *userdata, int r, const char *reason);

/*
 * degraded: something is not as it was. `detail` tells of each device, in one
 * line of at most PROTOCOL_DETAIL_MAX bytes.
 */
typedef void (*engine_restored_fn)(void *userdata, bool degraded, const char *detail);

struct engine;

/* What `setup` points to must outlive the engine. Returns 0 or -ENOMEM. */
int engine_new(const struct engine_setup *setup, struct engine **ret);

/*
 * Begins a cycle in the journal and goes down within `timeout_us`, of which the
 * kernel's own part is left over. `done` may be called before this returns.
 */
void engine_quiesce(struct engine *engine, uint64_t cycle, uint64_t timeout_us,
		    engine_quiesced_fn done, void *userdata);

/*
 * Whether a program that blocks sleep counts, beside what the settings say of
 * it. Asked on the way down, and only when there is such a program.
 */
typedef bool (*engine_honours_fn)(void *userdata);
void engine_set_inhibitor_policy(struct engine *engine, engine_honours_fn honours, void *userdata);

/*
 * Undoes what the journal has, also in the middle of going down (whose `done`
 * is then not called any more). The journal is left to the caller to finish.
 */
void engine_restore(struct engine *engine, engine_restored_fn done, void *userdata);

/*
 * The devices that a cycle would leave bound although they may not survive it,
 * as they are told in the detail of engine_restore; "" if there are none.
 */
void engine_describe_kept(const struct engine *engine, char *ret, size_t size);

struct engine_step {
	const char *what;
	uint64_t duration_us;
};

/*
 * The steps of the last way down that were completed, in their order; they are
 * the engine's. Returns their number.
 */
size_t engine_get_steps(const struct engine *engine, const struct engine_step **ret);

/* Kills what still runs. NULL is fine. */
void engine_free(struct engine *engine);

#endif
