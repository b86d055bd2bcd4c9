/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "guest-agent/channel.h"
#include "guest-agent/engine/machine.h"
#include "tests/fakexen/event-channels.h"
#include "tests/fakexen/process.h"
#include "tests/fakexen/store.h"

#define QUIESCE_US 100000
#define RESTORE_US 200000
/* From an event or a watch until the agent reads it. */
#define NOTICE_US 200
/* How long the kernel may take before the agent gives up, as in the real agent. */
#define KERNEL_US 25000000

struct fake_agent {
	struct fake_guest *guest;
	enum agent_conduct conduct;
	uint64_t quiesce_us, restore_us;
	struct channel *channel;
	struct store_connection *watcher; /* tells that the watches of `channel` have fired */
	struct machine machine;
	unsigned int n_quiesced;
	unsigned int n_committed, n_limits; /* how often the kernel was asked, and given up */
	struct fake_agent *next;
};

static struct fake_agent *agents;

static void perform(struct fake_agent *agent, struct machine_step step);

static void read_request(struct fake_agent *agent, struct protocol_request *ret)
{
	char text[PROTOCOL_TEXT_MAX];
	int n = agent->channel->ops->read(agent->channel, PROTOCOL_NODE_REQUEST, text,
					  sizeof(text));

	if (n < 0 || protocol_parse_request(text, (size_t)n, ret) < 0)
		*ret = (struct protocol_request){ PROTOCOL_NO_REQUEST, 0 };
}

static void handle(struct fake_agent *agent, enum machine_input input)
{
	struct protocol_request request;

	read_request(agent, &request);
	perform(agent, machine_handle(&agent->machine, input, &request));
}

/* ---- what takes time ---------------------------------------------------- */

static void end_quiescing(struct fake_guest *guest, void *data)
{
	struct fake_agent *agent = data;

	(void)guest;
	if (agent->conduct == AGENT_FAILS) {
		agent->channel->ops->write(agent->channel, PROTOCOL_NODE_DETAIL,
					   "sound card is in use by a player");
		handle(agent, MACHINE_QUIESCE_FAILED);
	} else if (agent->conduct != AGENT_HANGS) {
		handle(agent, MACHINE_QUIESCE_DONE);
	}
}

static void end_restoring(struct fake_guest *guest, void *data)
{
	struct fake_agent *agent = data;

	(void)guest;
	handle(agent, agent->conduct == AGENT_LOSES_DEVICES ? MACHINE_RESTORED_DEGRADED
							    : MACHINE_RESTORED);
}

static void give_up(struct fake_guest *guest, void *data)
{
	struct fake_agent *agent = data;

	(void)guest;
	/* The limit of an earlier cycle is over, too. */
	agent->n_limits++;
	if (agent->n_limits == agent->n_committed && agent->machine.phase == MACHINE_QUIESCED)
		handle(agent, MACHINE_NOT_SUSPENDED);
}

/* ---- steps -------------------------------------------------------------- */

static void write_state(struct fake_agent *agent, const struct protocol_state *state)
{
	char text[PROTOCOL_TEXT_MAX];

	protocol_format_state(state, text);
	agent->channel->ops->write(agent->channel, PROTOCOL_NODE_STATE, text);
}

static void commit(struct fake_agent *agent)
{
	struct protocol_request request = { PROTOCOL_SUSPEND, agent->machine.cycle };
	struct protocol_state state = { PROTOCOL_AGENT_QUIESCED, agent->machine.cycle };
	int r;

	if (agent->conduct == AGENT_LIES) {
		write_state(agent, &state);
		handle(agent, MACHINE_COMMITTED);
		return;
	}
	r = agent->channel->ops->commit(agent->channel, &request, &state);
	handle(agent, r < 0		       ? MACHINE_COMMIT_FAILED
		      : r == CHANNEL_RETRACTED ? MACHINE_RETRACTED
					       : MACHINE_COMMITTED);
	agent->n_committed++;
	fake_guest_after(agent->guest, KERNEL_US, give_up, agent);
}

static void perform(struct fake_agent *agent, struct machine_step step)
{
	struct channel *channel = agent->channel;

	if (step.actions & MACHINE_WITHDRAW)
		channel->ops->withdraw(channel);
	if (step.actions & MACHINE_DRAIN)
		channel->ops->drain(channel);
	if (step.actions & MACHINE_PUBLISH)
		write_state(agent, &step.publish);
	if (step.actions & MACHINE_NOTIFY)
		channel->ops->notify(channel);
	if (step.actions & MACHINE_QUIESCE) {
		agent->n_quiesced++;
		fake_guest_after(agent->guest, agent->quiesce_us, end_quiescing, agent);
	}
	if (step.actions & MACHINE_COMMIT)
		commit(agent);
	if (step.actions & MACHINE_RESTORE)
		fake_guest_after(agent->guest, agent->restore_us, end_restoring, agent);
}

static void notice(struct fake_guest *guest, void *data)
{
	struct fake_agent *agent = data;
	int n_events;

	(void)guest;
	if (agent->conduct == AGENT_IS_DEAD)
		return;
	n_events = agent->channel->ops->drain(agent->channel);
	agent->channel->ops->take_watches(agent->channel);
	handle(agent, n_events > 0 ? MACHINE_EVENT : MACHINE_WATCH);
}

static void notice_later(struct fake_agent *agent)
{
	fake_guest_after(agent->guest, NOTICE_US, notice, agent);
}

static void on_watch(void *data, const char *path, const char *token)
{
	(void)path;
	(void)token;
	notice_later(data);
}

static void on_event(void *data)
{
	notice_later(data);
}

static void wake(struct fake_guest *guest, void *data)
{
	struct fake_agent *agent = data;

	(void)guest;
	if (agent->conduct != AGENT_IS_DEAD)
		handle(agent, MACHINE_WOKEN);
}

static void on_resume(struct fake_guest *guest, void *data)
{
	fake_guest_after(guest, NOTICE_US, wake, data);
}

/* ---- life --------------------------------------------------------------- */

static void publish(struct fake_agent *agent)
{
	static const struct protocol_request none = { PROTOCOL_NO_REQUEST, 0 };
	struct machine_past past = { .channel_kept = false };
	char port[16];

	snprintf(port, sizeof(port), "%u", agent->channel->port);
	agent->channel->ops->write(agent->channel, PROTOCOL_NODE_EVENT_CHANNEL, port);
	agent->channel->ops->write(agent->channel, PROTOCOL_NODE_VERSION, "1");
	perform(agent, machine_start(&agent->machine, &past, &none));
}

struct fake_agent *fake_agent_start(struct fake_guest *guest, enum agent_conduct conduct)
{
	struct channel_past past = { .fd = -1 };
	struct fake_agent *agent = calloc(1, sizeof(*agent));
	struct error error = { 0 };

	if (!agent)
		abort();
	*agent = (struct fake_agent){
		.guest = guest,
		.conduct = conduct,
		.quiesce_us = QUIESCE_US,
		.restore_us = RESTORE_US,
		.next = agents,
	};
	agents = agent;
	process_act_as(fake_guest_domid(guest));
	if (channel_open_xen(&past, &agent->channel, &error) < 0)
		abort();
	process_act_as(0);
	publish(agent);
	agent->watcher = store_connect(fake_guest_domid(guest), on_watch, agent);
	store_watch(agent->watcher, PROTOCOL_NODE_REQUEST, "request");
	event_channels_listen(fake_guest_domid(guest), on_event, agent);
	fake_guest_on_resume(guest, on_resume, agent);
	return agent;
}

void fake_agent_set_conduct(struct fake_agent *agent, enum agent_conduct conduct)
{
	agent->conduct = conduct;
}

void fake_agent_set_times(struct fake_agent *agent, uint64_t quiesce_us, uint64_t restore_us)
{
	agent->quiesce_us = quiesce_us;
	agent->restore_us = restore_us;
}

uint32_t fake_agent_port(const struct fake_agent *agent)
{
	return agent->channel->port;
}

unsigned int fake_agent_count(const struct fake_agent *agent)
{
	return agent->n_quiesced;
}

void agents_stop(void)
{
	while (agents) {
		struct fake_agent *agent = agents;

		agents = agent->next;
		channel_close(agent->channel);
		free(agent);
	}
}
