/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_AGENT_AGENT_H
#define GUEST_AGENT_AGENT_H

#include <systemd/sd-event.h>

#include "channel.h"
#include "engine/engine.h"

/*
 * The resident agent: what comes through the channel goes into the machine,
 * and what that wants is done by the engine and said in the channel.
 */

struct agent_setup {
	sd_event *event;
	const struct roots *roots;
	const struct settings *settings;
	struct channel *channel; /* stays the caller's */
	struct journal *journal;
	struct engine *engine;
	struct log *log;
	/* For how long the guest has been suspended: clock_suspended_us. */
	uint64_t (*suspended_us)(void);
	/* Tells the service manager (sd_notify's format). */
	void (*tell)(const char *state);
	/* The channel was made anew: keep the new one over restarts. */
	void (*store_channel)(const struct channel *channel, const struct roots *roots);
};

struct agent;

/*
 * Finishes what a predecessor left, and publishes what dom0 is to know. What
 * `setup` points to must outlive the agent.
 */
int agent_start(const struct agent_setup *setup, struct agent **ret, struct error *error);

/*
 * Ends the event loop (with 0) as soon as everything is undone; dom0 is told
 * that nobody listens any more.
 */
void agent_stop(struct agent *agent);

/* NULL is fine. */
void agent_free(struct agent *agent);

#endif
