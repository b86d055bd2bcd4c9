/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_MACHINE_H
#define PMCOORD_SIM_SIMULATOR_MACHINE_H

/*
 * The simulated machine: its guests, the virtual clock, and what happens by
 * itself as time passes. Inner part of the simulator: a scenario sets it up,
 * the verbs of simulator.c act on it.
 */

#include "model/hypervisor.h"
#include "model/loop.h"
#include "model/sleeper.h"

/*
 * Half of Xen's domids (DOMID_FIRST_RESERVED is 0x7ff0): a guest that reboots
 * takes another one.
 */
#define SIM_GUESTS_MAX 16000

/* Where the virtual clock starts: not at 0, which would hide mistakes. */
#define SIM_CLOCK_START_US 1000000

#define SIM_NEVER UINT64_MAX

enum sim_behaviour {
	SIM_BEHAVES,
	SIM_IGNORES_REQUESTS, /* takes none and says nothing */
	SIM_HANGS_AFTER_ACK, /* takes the request and never goes down */
	SIM_SUSPENDS_LATE, /* takes the request, goes down after LateTime= */
	SIM_DIES, /* instead of going down */
	SIM_REFUSES, /* its agent answers failed */
	SIM_AGENT_IS_DEAD, /* published, but nobody answers */
	SIM_AGENT_PORT_IS_STALE, /* published, but the guest has none */
	SIM_RESUMES_DEGRADED, /* its agent answers degraded after the wake */
	SIM_NEVER_READY, /* its agent says nothing after the wake */
	SIM_FAILS_TO_RESUME, /* the resume verb returns EIO */
};

/* What somebody else is doing with the guest when the cycle begins. */
enum sim_fate {
	SIM_STAYS,
	SIM_POWERS_OFF,
	SIM_REBOOTS,
	SIM_IS_SAVED, /* or migrated: it goes down, and then it is gone */
};

/* The verbs that a scenario can let fail, in the order of sim_verb_names. */
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

/* The n-th call of a verb returns EIO, or each from the n-th on. */
struct sim_failure {
	enum sim_verb verb;
	uint64_t n; /* from 1 */
	bool and_later;
};

/* Calls of verbs so far, and which of them fail. */
struct sim_calls {
	uint64_t n[SIM_N_VERBS];
	struct sim_failure *failures;
	size_t n_failures;
};

enum sim_event_type {
	/* What a request sets going; taken back, it does not happen. */
	SIM_ARMED,
	SIM_QUIESCED,
	SIM_SUSPENDED,
	SIM_DEAD,
	SIM_REFUSED,
	SIM_RESTORED,
	SIM_BOOTED,
	/* What others do with the guest, whether it is paused or not. */
	SIM_SAVED,
	SIM_GONE,
	SIM_REBOOTED,
	SIM_APPEARS,
	SIM_USER_PAUSES,
	SIM_N_EVENT_TYPES,
};

struct sim_event {
	uint64_t at_us;
	uint64_t order; /* of events at the same time: first in, first out */
	size_t guest;
	unsigned int generation;
	enum sim_event_type type;
};

struct sim_guest {
	struct guest facts; /* .state and .agent change as it lives */
	enum sim_behaviour behaviour;
	enum sim_fate fate;
	uint64_t quiesce_us, suspend_us, resume_us, ready_us, late_us;
	uint64_t boot_us; /* 0: it has booted */
	uint64_t leave_us; /* until it is off, saved or rebooted */
	/* From the first request on; SIM_NEVER where it does not happen. */
	uint64_t appears_us, destroyed_us, user_pauses_us;
	unsigned int pauses; /* Xen counts them */
	unsigned int reboots; /* 0 or 1 */
	bool has_record; /* libxl made it, and says who its backends are */
	bool asked; /* a request stands that it has not taken */
	bool watched; /* its agent's states are events */
	/* Events of an older generation have been taken back. */
	unsigned int generation;
	struct sim_calls calls;
};

struct simulator {
	struct hypervisor hypervisor;
	struct loop loop;
	struct sleeper sleeper;
	uint64_t now_us;
	uint64_t orders;
	bool began; /* somebody has been asked: what is to happen, happens */
	struct sim_guest *guests;
	size_t n_guests;
	struct link *links; /* by index of guest instead of domid */
	size_t n_links;
	struct sim_event *heap;
	size_t n_heap;
	struct sim_event *frozen; /* what waits until a guest is unpaused */
	size_t n_frozen;
	uint32_t *happened; /* domids to look at */
	size_t n_happened;
	size_t first_happened;
	struct sim_calls calls;
	char *state_path;
	bool offers_s3;
	bool refuses_s3;
	uint64_t sleep_us;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* A machine without guests, on which nothing has happened. */
void sim_machine_init(struct simulator *simulator);
void sim_machine_done(struct simulator *simulator);

/* A rebooted guest has a domid of its own, from which its place follows. */
uint32_t sim_domid(const struct simulator *simulator, size_t guest);

/* Lets something happen to a guest after a while. Returns 0 or -ENOMEM. */
int sim_schedule(struct simulator *simulator, size_t guest, uint64_t delay_us,
		 enum sim_event_type type);

/* The same for an event that was kept: at its own time. */
int sim_schedule_event(struct simulator *simulator, const struct sim_event *event);

/* From the first request on others do with guests what they will. */
int sim_begin(struct simulator *simulator);

/* Asks the guest to go down, by this mechanism. Returns 0 or -ENOMEM. */
int sim_suspend_guest(struct simulator *simulator, size_t guest, enum mechanism mechanism);

/* A paused guest does nothing; what it would have done, it does now. */
int sim_thaw(struct simulator *simulator, size_t guest);

/* "inventory", "look-at-agent", …; and back: SIM_N_VERBS for no verb's name. */
const char *sim_verb_name(enum sim_verb verb);
enum sim_verb sim_verb_of_name(const char *name);

/* Counts a call. Returns 0, or -EIO for one that the scenario lets fail. */
int sim_count(struct sim_calls *calls, enum sim_verb verb);

#endif
