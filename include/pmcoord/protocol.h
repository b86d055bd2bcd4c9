/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_PROTOCOL_H
#define PMCOORD_PROTOCOL_H

/*
 * The protocol between the coordinator in dom0 and the agent in a guest.
 *
 * The protocol uses one event channel and two sets of xenstore nodes. The paths of
 * the nodes are relative to the guest's /local/domain/<domid>. An event carries no
 * data: its receiver reads the nodes. Every request and every state carries the
 * number of its cycle.
 *
 *   guest-owned (hostile input for dom0)
 *     data/pmcoord/version         "1"
 *     data/pmcoord/event-channel   the guest's port, to which dom0 can bind
 *     data/pmcoord/state           "<state> <cycle>"
 *     data/pmcoord/detail          one line for people
 *   dom0-owned, readable by the guest
 *     pmcoord/request              "suspend <cycle>" | "abort <cycle>"
 *     pmcoord/timeout-ms           time limit, from dom0's notification until the
 *                                  guest is suspended
 *     pmcoord/inhibitors           "honour" | "ignore"; absent: honour
 *
 * The order in one cycle N:
 *
 *   dom0   request = suspend N                    (ahead of time)
 *   agent  state = ready N                        (armed for cycle N only)
 *   dom0   subscribes to the port and notifies    (the critical path begins)
 *   agent  quiesces; in one transaction re-reads the request and, if it still
 *          is suspend N, writes state = quiesced N and its own
 *          control/shutdown = suspend
 *   Xen    notifies the same channel when the domain has shut down
 *   …      the host sleeps, dom0 resumes the domain and may notify the agent
 *   agent  restores; state = ready N, or degraded N with a detail
 *   dom0   request = suspend N+1, and so on
 *
 * `ready N` is thus written twice: when the agent is armed for N, and when cycle
 * N is complete. An agent that has completed N ignores a further `suspend N`.
 *
 * To cancel a cycle, dom0 writes `abort N` and then notifies the agent. If the
 * guest's kernel has not acknowledged the suspend, the transaction that writes
 * `abort N` also clears control/shutdown. The agent undoes its steps and writes
 * ready N (or degraded N).
 *
 * An agent that cannot quiesce undoes its steps, writes failed N with a detail,
 * and notifies dom0.
 *
 * Until dom0 notifies the agent, dom0 may change pmcoord/timeout-ms and
 * pmcoord/inhibitors without a new request.
 */

#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_VERSION 1

/* The parent of all guest-owned nodes. */
#define PROTOCOL_NODES "data/pmcoord"
#define PROTOCOL_NODE_VERSION "data/pmcoord/version"
#define PROTOCOL_NODE_EVENT_CHANNEL "data/pmcoord/event-channel"
#define PROTOCOL_NODE_STATE "data/pmcoord/state"
#define PROTOCOL_NODE_DETAIL "data/pmcoord/detail"
#define PROTOCOL_NODE_REQUEST "pmcoord/request"
#define PROTOCOL_NODE_TIMEOUT "pmcoord/timeout-ms"
#define PROTOCOL_NODE_INHIBITORS "pmcoord/inhibitors"

/*
 * The least value of pmcoord/timeout-ms, in µs. Agents ignore a smaller value,
 * because no guest can be suspended that fast.
 */
#define PROTOCOL_TIMEOUT_MIN_US 100000ull

/*
 * Agents leave 1/PROTOCOL_TIMEOUT_RESERVE of the time limit unused. An agent that
 * times out can then still report `failed` before dom0's own timeout.
 */
#define PROTOCOL_TIMEOUT_RESERVE 16

/*
 * Value of pmcoord/inhibitors: the agent fails if a program in the guest blocks
 * sleep with a logind inhibitor.
 */
#define PROTOCOL_INHIBITORS_HONOUR "honour"

/* Value of pmcoord/inhibitors: the agent suspends the guest despite inhibitors. */
#define PROTOCOL_INHIBITORS_IGNORE "ignore"

/*
 * The node that requests a suspend or a shutdown from the guest's kernel, which
 * watches the node. The toolstack writes the node; a guest can write its own, too.
 */
#define PROTOCOL_NODE_SHUTDOWN "control/shutdown"
#define PROTOCOL_SHUTDOWN_SUSPEND "suspend"

/*
 * The maximum length of data/pmcoord/detail in bytes. It is below xenstore's limit
 * (XENSTORE_PAYLOAD_MAX, 4096), and short enough for people to read. A longer text is
 * truncated.
 */
#define PROTOCOL_DETAIL_MAX 1024

enum protocol_verb {
	PROTOCOL_NO_REQUEST,
	PROTOCOL_SUSPEND,
	PROTOCOL_ABORT,
};

struct protocol_request {
	enum protocol_verb verb;
	uint64_t cycle;
};

enum protocol_agent_state {
	PROTOCOL_AGENT_NONE,
	PROTOCOL_AGENT_READY,
	PROTOCOL_AGENT_QUIESCED,
	PROTOCOL_AGENT_FAILED,
	PROTOCOL_AGENT_DEGRADED,
};

struct protocol_state {
	enum protocol_agent_state state;
	uint64_t cycle;
};

/* The size of the longest request or state, with its NUL. */
#define PROTOCOL_TEXT_MAX 40

/*
 * Formats a request into `ret` (PROTOCOL_TEXT_MAX bytes). Returns the length
 * without the NUL.
 */
size_t protocol_format_request(const struct protocol_request *request, char *ret);

/* As protocol_format_request, for a state. */
size_t protocol_format_state(const struct protocol_state *state, char *ret);

/*
 * Parses a request of `length` bytes, without a NUL. The text must match exactly,
 * e.g. "suspend 12": one space, decimal digits without a sign, and nothing after
 * them. Returns 0, or -EINVAL with *ret untouched.
 */
int protocol_parse_request(const char *text, size_t length, struct protocol_request *ret);

/* As protocol_parse_request, for a state, e.g. "ready 12". */
int protocol_parse_state(const char *text, size_t length, struct protocol_state *ret);

/* Returns "none", "ready", "quiesced", "failed" or "degraded". */
const char *protocol_agent_state_name(enum protocol_agent_state state);

#endif
