/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_WORLDS_DOUBLE_HOST_H
#define TESTS_WORLDS_DOUBLE_HOST_H

/*
 * A host on the double of Xen (tests/fakexen): guests, agents and other toolstacks as a world
 * describes them, and the log of what happens to them. The words of a world that only this host
 * knows:
 *
 *	[Guest] Answer=		clears, removes, only-clears, never, nonsense or refuses: how the
 *				kernel answers a request, see enum guest_answer
 *	ShutdownNode=		unwritable or missing: what a toolstack has done to control/shutdown
 *	AcknowledgeTime=	from the request to the answer
 *	Behaviour=		of its agent: refuses, agent-hangs, agent-is-dead, agent-lies or
 *				comes-back-degraded
 *	State=being-built	its toolstack keeps it paused until BuiltAfter=
 *	SavedAfter=, MigratedAfter=, ShutDownAfter=, RebootedAfter=, BuiltAfter=,
 *	StormAfter=
 *				what others do, counted from the first request of the world on
 *	[Host] StoreSilentAfter=, StoreLostAfter=
 *				xenstored answers nothing for a while, or closes its connections
 *	StoreConflicts=		so many transactions end with EAGAIN
 *	Fail=			of a host or a guest: a function of Xen's libraries, and calls as
 *				in pmcoord-scenario(5)
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/sleeper.h"
#include "tests/worlds/history.h"
#include "tests/worlds/world.h"

/* How long xenstored is silent (StoreSilentAfter=). */
#define DOUBLE_SILENCE_US 2000000
/* How long a guest sends events without end (StormAfter=). */
#define DOUBLE_STORM_US 5000000

/*
 * Starts the host of a world, whose guests have booted. What happens from now on is appended to
 * `history`, which is borrowed.
 */
void double_host_start(const struct world *world, struct history *history);
void double_host_stop(void);

/* Whether there was no memory for the log. */
bool double_host_has_failed(void);

/* Whether a command runs: what is done outside of handlers of virtual time is done by it. */
void double_host_set_command(bool runs);

/* Logs the saves that were broken since the last call. */
void double_host_check_saves(void);

/* How this host sleeps (S3=, SleepTime=). */
struct sleeper *double_host_sleeper(void);

#endif
