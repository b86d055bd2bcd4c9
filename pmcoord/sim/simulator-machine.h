/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_MACHINE_H
#define PMCOORD_SIM_SIMULATOR_MACHINE_H

/*
 * The simulated machine: guests, virtual clock and timed events. Internal to
 * the simulator: simulator-scenario.c fills it from a file, the hypervisor
 * verbs of simulator.c act on it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/hypervisor.h"
#include "model/inventory.h"
#include "model/loop.h"
#include "model/plan.h"
#include "model/sleeper.h"

/*
 * Below half of Xen's domids (DOMID_FIRST_RESERVED is 0x7ff0): each guest can
 * reboot once and then has a second domid.
 */
#define SIM_GUESTS_MAX 16000

/* Start of the virtual clock: not 0, so that an unset time is noticed. */
#define SIM_CLOCK_START_US 1000000

#define SIM_NEVER UINT64_MAX

enum sim_behaviour {
	SIM_BEHAVES,
	SIM_IGNORES_REQUESTS, /* never acknowledges a request */
	SIM_HANGS_AFTER_ACK, /* acknowledges the request, never suspends */
	SIM_SUSPENDS_LATE, /* acknowledges, suspends after LateTime= */
	SIM_DIES, /* its domain ends instead of suspending */
	SIM_REFUSES, /* its agent sets state failed */
	SIM_AGENT_IS_DEAD, /* nodes are published, the agent never reacts */
	SIM_AGENT_PORT_IS_STALE, /* the published port does not exist */
	SIM_RESUMES_DEGRADED, /* its agent sets state degraded after the wake */
	SIM_NEVER_READY, /* its agent sets no state after the wake */
	SIM_FAILS_TO_RESUME, /* the resume verb returns -EIO */
};

/* An operation of the guest or its toolstack that is in progress at the start. */
enum sim_fate {
	SIM_STAYS,
	SIM_POWERS_OFF,
	SIM_REBOOTS,
	SIM_IS_SAVED, /* or migrated: it suspends, then its domain is gone */
};

/* The verbs that Fail= can make fail, in the order of sim_verb_names. */
enum sim_verb {
	SIM_INVENTORY,
	SIM_EXAMINE,
	SIM_PREPARE,
	SIM_ARM,
	SIM_REQUEST,
	SIM_RETRACT,
	SIM_GET_STATE,
	SIM_GET_AGENT_STATE,
	SIM_UNSUBSCRIBE,
	SIM_PAUSE,
	SIM_UNPAUSE,
	SIM_RESUME,
	SIM_RESUME_IN_XENSTORE,
	SIM_WAKE_AGENT,
	SIM_NEXT_EVENT,
	SIM_N_VERBS,
};

/* The n-th call of a verb, or each from the n-th on, returns -EIO. */
struct sim_failure {
	enum sim_verb verb;
	uint64_t n; /* from 1 */
	bool and_later;
};

/* Number of calls of each verb so far, and the calls that fail. */
struct sim_calls {
	uint64_t n[SIM_N_VERBS];
	struct sim_failure *failures;
	size_t n_failures;
};

enum sim_event_type {
	/* Caused by a request; cancelled when the request is retracted. */
	SIM_ARMED,
	SIM_QUIESCED,
	SIM_SUSPENDED,
	SIM_DEAD,
	SIM_REFUSED,
	SIM_RESTORED,
	SIM_BOOTED,
	/* Caused by others than pmcoord; they also affect a paused guest. */
	SIM_SAVED,
	SIM_GONE,
	SIM_REBOOTED,
	SIM_APPEARS,
	SIM_USER_PAUSES,
	SIM_N_EVENT_TYPES,
};

struct sim_event {
	uint64_t at_us;
	uint64_t order; /* events at the same time: first in, first out */
	size_t guest;
	unsigned int generation;
	enum sim_event_type type;
};

struct sim_guest {
	struct guest facts; /* .state and .agent change over time */
	enum sim_behaviour behaviour;
	enum sim_fate fate;
	uint64_t quiesce_us, suspend_us, resume_us, ready_us, late_us;
	uint64_t boot_us; /* time left to boot; 0: booted */
	uint64_t leave_us; /* time left until off, saved or rebooted */
	/* Counted from the first request of a cycle; SIM_NEVER: not at all. */
	uint64_t appears_us, destroyed_us, user_pauses_us;
	unsigned int pauses; /* pause count, as in Xen */
	unsigned int reboots; /* 0 or 1 */
	bool has_toolstack_record; /* libxl created it and records its backends */
	bool requested; /* a request is pending, not acknowledged */
	bool watched; /* a change of its agent's state is an event */
	/* Incremented by a retraction: events of older generations are void. */
	unsigned int generation;
	struct sim_calls calls;
};

struct simulator {
	struct hypervisor hypervisor;
	struct loop loop;
	struct sleeper sleeper;
	uint64_t now_us;
	uint64_t next_order;
	bool started; /* the scenario's own events are scheduled */
	struct sim_guest *guests;
	size_t n_guests;
	struct link *links; /* ends are indices of guests, not domids */
	size_t n_links;
	struct sim_event *heap;
	size_t n_heap;
	struct sim_event *deferred; /* events of paused guests */
	size_t n_deferred;
	uint32_t *changed; /* domids for next_event */
	size_t n_changed;
	size_t first_changed;
	struct sim_calls calls;
	char *state_path;
	bool offers_s3;
	bool refuses_s3;
	uint64_t sleep_us;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Sets up a machine without guests, at SIM_CLOCK_START_US. */
void sim_machine_init(struct simulator *simulator);
/* Takes NULL. */
void sim_machine_done(struct simulator *simulator);

/*
 * The domid of a guest. After a reboot it is n_guests higher, so that the index
 * follows from either domid.
 */
uint32_t sim_domid(const struct simulator *simulator, size_t guest);

/* Schedules an event of a guest, `delay_us` from now. Returns 0 or -ENOMEM. */
int sim_schedule(struct simulator *simulator, size_t guest, uint64_t delay_us,
		 enum sim_event_type type);

/* Schedules an event at its own time. Returns 0 or -ENOMEM. */
int sim_schedule_event(struct simulator *simulator, const struct sim_event *event);

/*
 * Schedules what the scenario describes (boots, reboots, saves, …), at the
 * first request; a no-op afterwards. Returns 0 or -ENOMEM.
 */
int sim_start_scenario(struct simulator *simulator);

/* Delivers a request to suspend by this mechanism. Returns 0 or -ENOMEM. */
int sim_suspend_guest(struct simulator *simulator, size_t guest, enum mechanism mechanism);

/*
 * Schedules for now the events that came due while the guest was paused.
 * Returns 0 or -ENOMEM.
 */
int sim_run_deferred(struct simulator *simulator, size_t guest);

/* The names of Fail= ("inventory", "look-at-agent", …). */
const char *sim_verb_name(enum sim_verb verb);
/* Returns SIM_N_VERBS for an unknown name. */
enum sim_verb sim_verb_of_name(const char *name);

/* Counts a call. Returns 0, or -EIO where Fail= makes this call fail. */
int sim_count_call(struct sim_calls *calls, enum sim_verb verb);

#endif
