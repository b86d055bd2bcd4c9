/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_AGENT_H
#define GUEST_AGENT_AGENT_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "pmcoord/error.h"
#include "guest/files.h"
#include "guest/log.h"
#include "guest/settings.h"
#include "channel.h"
#include "engine/engine.h"
#include "engine/journal.h"

/*
 * The resident agent. It passes events and watches of the channel to the protocol's
 * state machine (engine/machine.h), and performs the resulting steps: the engine
 * quiesces and restores the guest, the channel publishes states to dom0.
 */

/* What an agent works with. All pointers are borrowed. */
struct agent_setup {
	sd_event *event;
	const struct roots *roots;
	const struct settings *settings;
	struct channel *channel;
	struct journal *journal;
	struct engine *engine;
	struct log *log; /* or NULL */
	/* Returns how long the guest was suspended since its boot, as clock_suspended_us(). */
	uint64_t (*suspended_us)(void);
	/* Notifies the service manager; `state` is as for sd_notify(3). May be NULL. */
	void (*notify_systemd)(const char *state);
	/* Stores a renewed channel, so that it survives a restart of the agent. May be NULL. */
	void (*store_channel)(const struct channel *channel, const struct roots *roots);
};

struct agent;

/*
 * Starts to serve the channel: undoes a cycle that an earlier agent has left unfinished,
 * and publishes version, port and state. What `setup` points to must outlive the agent.
 * Returns 0 or negative errno; release `*ret` with agent_free().
 */
int agent_start(const struct agent_setup *setup, struct agent **ret, struct error *error);

/*
 * Undoes the cycle that is under way, if there is one. Then removes the state node, so that
 * dom0 does not wait for this agent, and ends the event loop with the result 0. If a
 * cycle is under way, agent_stop() may return before this is done.
 */
void agent_stop(struct agent *agent);

/*
 * Frees the agent. Does not undo a cycle that is under way: it remains in the journal. NULL is
 * a no-op.
 */
void agent_free(struct agent *agent);

#endif
