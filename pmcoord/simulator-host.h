/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_SIMULATOR_HOST_H
#define PMCOORD_SIMULATOR_HOST_H

/* The simulated host, for the files that make up the simulator. */

#include "pmcoord/simulator.h"

/* Domids of Xen end at DOMID_FIRST_RESERVED. */
#define SIMULATED_GUESTS_MAX 30000

enum behaviour {
	BEHAVES,
	IGNORES_REQUESTS, /* takes none and says nothing */
	HANGS_AFTER_ACK, /* takes the request and never goes down */
	GOES_DOWN_LATE, /* takes the request, goes down after LateTime= */
	DIES, /* instead of going down */
	REFUSES, /* its agent answers failed */
	AGENT_IS_DEAD, /* published, but nobody answers */
	COMES_BACK_DEGRADED, /* its agent answers degraded after the wake */
	FAILS_TO_RESUME, /* the resume verb returns EIO */
};

enum event_type {
	EVENT_ARMED,
	EVENT_QUIESCED,
	EVENT_DOWN,
	EVENT_DEAD,
	EVENT_REFUSED,
	EVENT_RESTORED,
};

struct event {
	uint64_t at_us;
	uint64_t order; /* of events at the same time: first in, first out */
	size_t guest;
	unsigned int generation;
	enum event_type type;
};

/* Other guests, by their index. */
struct sim_links {
	size_t *guests;
	size_t n_guests;
};

struct sim_guest {
	struct guest facts; /* .state and .agent change as it lives */
	enum behaviour behaviour;
	uint64_t quiesce_us, suspend_us, resume_us, ready_us, late_us;
	bool paused;
	bool asked; /* a request stands that it has not taken */
	bool watched; /* its agent's states are events */
	/* Events of an older generation have been overtaken. */
	unsigned int generation;
	/* Names, space separated, while the scenario is read. */
	char *needs_names, *claims_names, *stub_for_name;
	struct sim_links needs; /* true ones */
	struct sim_links claims; /* the guest alone says so: a lie */
	size_t stub_for; /* SIZE_MAX: nobody's */
	bool has_record; /* libxl made it, and says who its backends are */
	uint64_t count; /* of copies, 0: one, with its plain name */
};

/* Verbs that can be made to fail. */
enum sim_verb {
	VERB_INVENTORY,
	VERB_PREPARE,
	VERB_ARM,
	VERB_REQUEST,
	VERB_RETRACT,
	VERB_LOOK,
	VERB_SETTLE,
	VERB_PAUSE,
	VERB_UNPAUSE,
	VERB_RESUME,
	VERB_KEEP_BOOKS,
	VERB_WAKE_AGENT,
	SIM_VERBS,
};

struct simulator {
	struct hypervisor hypervisor;
	struct loop loop;
	struct sleeper sleeper;
	uint64_t now_us;
	uint64_t orders;
	struct sim_guest *guests;
	size_t n_guests;
	struct event *heap;
	size_t n_heap;
	uint32_t *happened; /* domids to look at */
	size_t n_happened;
	size_t first_happened;
	char *state_path;
	bool offers_s3;
	bool refuses_s3;
	uint64_t sleep_us;
	/* Which call of each verb fails with EIO, 0: none; and how many came.
	 */
	uint64_t fails_at[SIM_VERBS];
	uint64_t calls[SIM_VERBS];
};

/* Reads the scenario. Returns 0, or negative with `error` naming file and line.
 */
int scenario_load(struct simulator *simulator, const char *path,
		  struct error *error);

/* Frees what scenario_load has made. */
void scenario_done(struct simulator *simulator);

/* What lasts from one command to the next: the clock, and the guests' states.
 */
void simulator_save_states(const struct simulator *simulator);
void simulator_load_states(struct simulator *simulator);

#endif
