/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIM_SIMULATOR_MACHINE_H
#define PMCOORD_SIM_SIMULATOR_MACHINE_H

/*
 * The simulated machine: guests, virtual clock and timed events. Internal to
 * the simulator. simulator-scenario.c fills the machine from a file, and the
 * hypervisor verbs of simulator.c act on the machine.
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
 * The most guests in a scenario. Each guest can reboot once and then gets a
 * second domid, so the limit is less than half of Xen's 0x7ff0 domids.
 */
#define SIM_GUESTS_MAX 16000

/* Start of the virtual clock. Not 0, so that unset times are noticed. */
#define SIM_CLOCK_START_US 1000000

/* The time of an event that never happens. */
#define SIM_NEVER UINT64_MAX

/* How a guest behaves (Behaviour=). Comments quote values that differ from the enumerator. */
enum sim_behaviour {
	SIM_BEHAVES, /* "normal": suspends and resumes as requested */
	SIM_IGNORES_REQUESTS, /* never acknowledges a request */
	SIM_HANGS_AFTER_ACK, /* acknowledges the request, never suspends */
	SIM_SUSPENDS_LATE, /* "goes-down-late": suspends after LateTime= */
	SIM_DIES, /* its domain ends instead of suspending */
	SIM_REFUSES, /* its agent reports failed */
	SIM_AGENT_IS_DEAD, /* its agent has nodes in xenstore, but never reacts */
	SIM_AGENT_PORT_IS_STALE, /* the port that its agent published does not exist */
	SIM_RESUMES_DEGRADED, /* "comes-back-degraded": its agent reports degraded */
	SIM_NEVER_READY, /* its agent reports no state after the wake */
	SIM_FAILS_TO_RESUME, /* the resume verb returns -EIO */
};

/* What the guest or its toolstack is doing when the scenario starts. */
enum sim_fate {
	SIM_STAYS, /* nothing: the guest stays */
	SIM_POWERS_OFF,
	SIM_REBOOTS,
	SIM_IS_SAVED, /* a save or migration: the guest suspends, then its domain ends */
};

/* The verbs that Fail= can make fail. Comments quote names that differ from the enumerator. */
enum sim_verb {
	SIM_INVENTORY,
	SIM_EXAMINE,
	SIM_LIST_DOMAINS, /* "list-domains" */
	SIM_PREPARE,
	SIM_ARM,
	SIM_REQUEST,
	SIM_RETRACT,
	SIM_GET_STATE, /* "look" */
	SIM_GET_AGENT_STATE, /* "look-at-agent" */
	SIM_UNSUBSCRIBE, /* "settle" */
	SIM_PAUSE,
	SIM_UNPAUSE,
	SIM_RESUME,
	SIM_RESUME_IN_XENSTORE, /* "keep-books" */
	SIM_WAKE_AGENT,
	SIM_NEXT_EVENT,
	SIM_N_VERBS,
};

/* An item of Fail=: calls of a verb that return -EIO. */
struct sim_failure {
	enum sim_verb verb;
	uint64_t n; /* the n-th call fails; the first call is 1 */
	bool and_later; /* all calls after the n-th fail, too */
};

/* How often each verb was called so far, and which calls fail. */
struct sim_calls {
	uint64_t n[SIM_N_VERBS];
	struct sim_failure *failures;
	size_t n_failures;
};

enum sim_event_type {
	/*
	 * Activity of the guest. These events are deferred while the guest is
	 * paused. A retraction cancels scheduled events, except SIM_BOOTED.
	 */
	SIM_ARMED, /* the agent reports ready */
	SIM_QUIESCED, /* the agent reports quiesced */
	SIM_SUSPENDED,
	SIM_DEAD, /* the domain ends instead of suspending */
	SIM_REFUSED, /* the agent reports failed */
	SIM_RESTORED, /* the agent reports ready or degraded after the wake */
	SIM_BOOTED,
	/* Other events. They happen even while the guest is paused. */
	SIM_SAVED, /* a save or migration has suspended the guest */
	SIM_GONE, /* the domain ends */
	SIM_REBOOTED, /* the guest gets another domain */
	SIM_APPEARS, /* the guest is created */
	SIM_USER_PAUSES, /* another program pauses the guest */
	SIM_N_EVENT_TYPES,
};

struct sim_event {
	uint64_t at_us;
	uint64_t order; /* sorts events of the same time */
	size_t guest; /* index in simulator.guests */
	unsigned int generation; /* the guest's generation when the event was scheduled */
	enum sim_event_type type;
};

struct sim_guest {
	struct guest facts; /* as in an inventory, which also shows `pauses` and `requested` */
	enum sim_behaviour behaviour;
	enum sim_fate fate;
	/* QuiesceTime=, SuspendTime=, ResumeTime=, ReadyTime= and LateTime=. */
	uint64_t quiesce_us, suspend_us, resume_us, ready_us, late_us;
	uint64_t boot_us; /* BootTime=; 0: the guest has booted */
	uint64_t leave_us; /* LeaveTime=: time until the guest is off, saved or rebooted */
	/*
	 * Times from the first request or pause of any guest, or the first wait, to the event;
	 * SIM_NEVER: the event never happens.
	 */
	uint64_t appears_us, destroyed_us, user_pauses_us;
	unsigned int pauses; /* pause count, as in Xen */
	unsigned int reboots; /* 0 or 1 */
	bool has_toolstack_record; /* the toolstack has recorded the guest's links */
	bool requested; /* xenstore has a request that the guest has not acknowledged */
	bool watched; /* next_event reports changes of the agent's state */
	bool restoring; /* its agent restores after a resume, and answers no request meanwhile */
	/* A retraction increments this number and so cancels the guest's scheduled activity. */
	unsigned int generation;
	struct sim_calls calls;
};

struct simulator {
	struct hypervisor hypervisor;
	struct loop loop;
	struct sleeper sleeper;
	uint64_t now_us;
	uint64_t next_order;
	bool started; /* sim_start_scenario has scheduled the scenario's events */
	struct sim_guest *guests;
	size_t n_guests;
	struct link *links; /* frontend and backend are indices of guests, not domids */
	size_t n_links;
	struct sim_event *heap;
	size_t n_heap;
	struct sim_event *deferred; /* events whose time came while their guest was paused */
	size_t n_deferred;
	uint32_t *changed; /* domids that next_event returns */
	size_t n_changed;
	size_t first_changed; /* index of the domid that next_event returns next */
	struct sim_calls calls;
	char *state_path; /* see simulator_open */
	bool has_trace; /* Trace=yes */
	uint64_t killed_at; /* KilledAt=; 0: not given */
	uint64_t n_steps; /* see on_step */
	bool saves_always; /* KeepState=always */
	/*
	 * Called before each call of a verb, and after each change of the machine
	 * (`has_changed`). NULL: the machine has no state file.
	 */
	void (*on_step)(struct simulator *simulator, bool has_changed);
	int trace_fd; /* negative: no trace is written */
	bool offers_s3; /* false: S3=no */
	bool refuses_s3; /* S3=refuse */
	uint64_t sleep_us; /* how long the host sleeps */
};

/* offsetof is in parentheses because clang-format 14 takes the minus for a sign. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - (offsetof(type, member))))

/* Sets up a machine without guests, at SIM_CLOCK_START_US. */
void sim_machine_init(struct simulator *simulator);
/* Frees the contents of `simulator`, which may be NULL. */
void sim_machine_done(struct simulator *simulator);

/*
 * Returns the domid of a guest. After a reboot the domid is higher by n_guests,
 * so that the guest's index can be computed from either domid.
 */
uint32_t sim_domid(const struct simulator *simulator, size_t guest);

/* Schedules an event of a guest, `delay_us` from now. Returns 0 or -ENOMEM. */
int sim_schedule(struct simulator *simulator, size_t guest, uint64_t delay_us,
		 enum sim_event_type type);

/* Schedules an event at event->at_us. Returns 0 or -ENOMEM. */
int sim_schedule_event(struct simulator *simulator, const struct sim_event *event);

/*
 * Schedules the events that the scenario describes (boots, reboots, saves, …).
 * Called at each request, pause and wait; only the first call has an effect. Returns
 * 0 or -ENOMEM.
 */
int sim_start_scenario(struct simulator *simulator);

/* Delivers a request to suspend to a guest. Returns 0 or -ENOMEM. */
int sim_suspend_guest(struct simulator *simulator, size_t guest, enum mechanism mechanism);

/* Schedules the guest's deferred events for the current time. Returns 0 or -ENOMEM. */
int sim_run_deferred(struct simulator *simulator, size_t guest);

/* Calls simulator->on_step, if it is set. */
void sim_step(struct simulator *simulator, bool has_changed);

/* Writes a line about a guest to the trace, see simulator-trace.h. NULL: about the host. */
void sim_trace(const struct simulator *simulator, const struct sim_guest *guest, const char *word);

/* Returns the name of a verb in Fail=, e.g. "look-at-agent". */
const char *sim_verb_name(enum sim_verb verb);
/* Returns the verb of a name in Fail=, or SIM_N_VERBS for an unknown name. */
enum sim_verb sim_verb_of_name(const char *name);

/* Counts a call of a verb. Returns 0, or -EIO if Fail= makes this call fail. */
int sim_count_call(struct sim_calls *calls, enum sim_verb verb);

#endif
