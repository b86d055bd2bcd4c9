/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_AGENTS_H
#define TESTS_FAKEXEN_AGENTS_H

/*
 * Agents in guests. Channel and decisions are those of the real agent (guest-agent/channel-xen.c,
 * guest-agent/engine/machine.c); only the devices are missing, so that quiescing and restoring
 * merely take time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tests/fakexen/guests.h"

enum agent_conduct {
	AGENT_WORKS,
	AGENT_FAILS, /* cannot quiesce, and says so */
	AGENT_HANGS, /* never ends quiescing */
	AGENT_IS_DEAD, /* reacts to nothing, and its nodes and its port remain */
	AGENT_LIES, /* publishes `quiesced`, and does not have its kernel suspend */
	AGENT_LOSES_DEVICES, /* restores only a part */
};

struct fake_agent;

/* Starts an agent, which publishes itself at once. `conduct` counts from the next request on. */
struct fake_agent *fake_agent_start(struct fake_guest *guest, enum agent_conduct conduct);
void fake_agent_set_conduct(struct fake_agent *agent, enum agent_conduct conduct);
/* How long it quiesces and restores; 100 ms and 200 ms at first. */
void fake_agent_set_times(struct fake_agent *agent, uint64_t quiesce_us, uint64_t restore_us);
/* The port that it has published. */
uint32_t fake_agent_port(const struct fake_agent *agent);
/* How often it has quiesced: more than once a cycle is wrong. */
unsigned int fake_agent_count(const struct fake_agent *agent);

/* Ends all agents; before the double is stopped. */
void agents_stop(void);

#endif
