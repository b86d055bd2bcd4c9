/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_HYPERVISOR_H
#define PMCOORD_MODEL_HYPERVISOR_H

/*
 * The verbs that the coordinator needs of a hypervisor: Xen (hypervisor-xen.h)
 * or a simulated one (simulator.h). The engine runs the same plan on both.
 *
 * Unless said otherwise a verb returns 0 or a negative errno. Domains are
 * named by struct domain_id: domids are reused, so a verb that changes a
 * domain first checks that it still has this UUID and returns -ESRCH if not.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/config.h"
#include "model/domain-id.h"
#include "pmcoord/error.h"
#include "model/inventory.h"
#include "model/plan.h"

/* What an event is about: look at this domain, or at all of them. */
#define HYPERVISOR_ALL_DOMAINS UINT32_MAX

/* Outcome of `prepare`. */
enum prepare_outcome {
	PREPARED,
	/* The guest does not have the port it published: use xenstore. */
	PREPARE_PORT_IS_STALE = 1,
};

/* Outcome of `retract`. */
enum retract_outcome {
	RETRACTED,
	/* The guest has taken the request: it may still go down. */
	RETRACT_TOO_LATE = 1,
};

struct domain_state {
	enum guest_state state;
	bool paused; /* by control software, also when it is shut down */
};

struct agent_state {
	struct protocol_state state;
	char detail[PROTOCOL_DETAIL_MAX]; /* sanitised */
};

/* More are counted in struct guest, but not named. */
#define EXAMINED_PCI_MAX 16
/* "0000:00:14.0" and NUL; a domain can be wider. */
#define PCI_ADDRESS_SIZE 16

/* What only a preflight asks about a guest. */
struct guest_examination {
	char pci[EXAMINED_PCI_MAX][PCI_ADDRESS_SIZE]; /* as dom0 names them */
	size_t n_pci;
	uint64_t memory_kib, memory_max_kib; /* 0: unknown */
	bool agent_port_is_stale; /* the guest has no such port for dom0 */
};

struct hypervisor;

struct hypervisor_ops {
	const char *name;

	void (*close)(struct hypervisor *hypervisor);

	/*
	 * For a process that stays: from now on events tell of domains that
	 * come, go or change, and what was read of one is kept until then.
	 */
	int (*watch_domains)(struct hypervisor *hypervisor);

	/* Reads all guests and links, finished. Release: inventory_done. */
	int (*inventory)(struct hypervisor *hypervisor, struct inventory *ret_inventory,
			 struct error *error);

	/* Reads more of one guest of the inventory; changes nothing. */
	int (*examine)(struct hypervisor *hypervisor, const struct guest *guest,
		       struct guest_examination *ret_examination);

	/*
	 * Makes ready all that a request by this mechanism needs, so that the
	 * request itself is short: the event channel, watches. Returns an
	 * enum prepare_outcome.
	 */
	int (*prepare)(struct hypervisor *hypervisor, const struct guest *guest,
		       enum mechanism mechanism);

	/*
	 * Tells the agent which request will come: writes `suspend <cycle>`,
	 * and its terms. Nothing is notified. Once more with the same cycle
	 * only the terms are new.
	 */
	int (*arm)(struct hypervisor *hypervisor, const struct domain_id *id, uint64_t cycle,
		   const struct agent_terms *terms);

	/*
	 * Makes sure that we hear of it when the guest goes down, right before
	 * it is asked: someone else may have taken our place. What fails here
	 * shows in `request`.
	 */
	int (*subscribe)(struct hypervisor *hypervisor, const struct domain_id *id,
			 enum mechanism mechanism);

	/*
	 * Asks the guest to go down (for an agent: notifies it). Listens first
	 * where that was not done yet.
	 */
	int (*request)(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism);

	/* Takes a request back. Returns an enum retract_outcome. */
	int (*retract)(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism, uint64_t cycle);

	/*
	 * What the hypervisor says of the domain now; GUEST_GONE when there is
	 * none of this domid and UUID.
	 */
	int (*get_state)(struct hypervisor *hypervisor, const struct domain_id *id,
			 struct domain_state *ret_state);

	int (*get_agent_state)(struct hypervisor *hypervisor, const struct domain_id *id,
			       struct agent_state *ret_state);

	/*
	 * The guest is down, or given up: ends Xen's subscription for it, which
	 * would otherwise break a later save or migration.
	 */
	int (*unsubscribe)(struct hypervisor *hypervisor, const struct domain_id *id);

	int (*pause)(struct hypervisor *hypervisor, const struct domain_id *id);
	int (*unpause)(struct hypervisor *hypervisor, const struct domain_id *id);

	/*
	 * Does ahead of time what a resume can do while the domain is still
	 * down, so that the resume itself is short. May be done more than once,
	 * and long before; what fails here shows there.
	 */
	int (*prepare_resume)(struct hypervisor *hypervisor, const struct domain_id *id);

	/* Lets a domain that is down go on; it runs when this returns. */
	int (*resume)(struct hypervisor *hypervisor, const struct domain_id *id);

	/*
	 * Tells xenstored that it runs; can wait until all do. -ESRCH: it has
	 * gone since.
	 */
	int (*resume_in_xenstore)(struct hypervisor *hypervisor, const struct domain_id *id);

	/* Tells the agent to look; harmless when it has restored already. */
	int (*wake_agent)(struct hypervisor *hypervisor, const struct domain_id *id);

	/* Readable when next_event has something; borrowed. */
	int (*fd)(struct hypervisor *hypervisor);

	/*
	 * Takes the next event, without waiting. Returns 1 with *ret_domid (or
	 * HYPERVISOR_ALL_DOMAINS), 0 if there is none.
	 */
	int (*next_event)(struct hypervisor *hypervisor, uint32_t *ret_domid);
};

struct hypervisor {
	const struct hypervisor_ops *ops;
};

void hypervisor_close(struct hypervisor *hypervisor);

/*
 * What the configuration says to an agent whose guest has so long; nobody has
 * longer than the deadline of the whole.
 */
struct agent_terms agent_terms_of(const struct config *config, uint64_t timeout_us);

/* Whether both read the same to an agent, which is told whole milliseconds. */
bool agent_terms_equal(const struct agent_terms *a, const struct agent_terms *b);

#endif
