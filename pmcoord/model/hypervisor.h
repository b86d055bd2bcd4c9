/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_HYPERVISOR_H
#define PMCOORD_MODEL_HYPERVISOR_H

/*
 * The verbs of a hypervisor: Xen (hypervisor-xen.h) or a simulated one
 * (simulator.h). The engine runs the same plan on both.
 *
 * Unless described otherwise a verb returns 0 or a negative errno. Domids are
 * reused: a verb that changes a domain first checks its UUID, and returns
 * -ESRCH if there is no domain of this domid and UUID.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmcoord/error.h"
#include "pmcoord/protocol.h"
#include "model/config.h"
#include "model/domain-id.h"
#include "model/inventory.h"
#include "model/plan.h"

/* In place of a domid: the event concerns all domains. */
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
	/* The guest has acknowledged the request: it may still suspend. */
	RETRACT_TOO_LATE = 1,
};

struct domain_state {
	enum guest_state state;
	bool paused; /* by control software, also while it is shut down */
};

struct agent_state {
	struct protocol_state state;
	char detail[PROTOCOL_DETAIL_MAX]; /* sanitised */
};

/* More are counted in struct guest, but not named. */
#define EXAMINED_PCI_MAX 16
/* "0000:00:14.0" and NUL; a domain can be wider. */
#define PCI_ADDRESS_SIZE 16

/* What only the preflight reads of a guest. */
struct guest_examination {
	char pci[EXAMINED_PCI_MAX][PCI_ADDRESS_SIZE]; /* addresses in dom0 */
	size_t n_pci;
	uint64_t memory_kib, memory_max_kib; /* 0: unknown */
	bool agent_port_is_stale; /* the guest has no such port for dom0 */
};

struct hypervisor;

struct hypervisor_ops {
	const char *name;

	void (*close)(struct hypervisor *hypervisor);

	/*
	 * For a process that stays: from now on there are events for domains
	 * that appear, change or go, and what was read of a domain is cached
	 * until its next event.
	 */
	int (*watch_domains)(struct hypervisor *hypervisor);

	/*
	 * Reads all guests and links. The inventory is finished; release:
	 * inventory_done.
	 */
	int (*inventory)(struct hypervisor *hypervisor, struct inventory *ret_inventory,
			 struct error *error);

	/* Reads more facts of one guest of the inventory. */
	int (*examine)(struct hypervisor *hypervisor, const struct guest *guest,
		       struct guest_examination *ret_examination);

	/*
	 * Binds the event channel and sets the watches that a request by this
	 * mechanism needs, so that the request itself is short. Returns an
	 * enum prepare_outcome or a negative errno.
	 */
	int (*prepare)(struct hypervisor *hypervisor, const struct guest *guest,
		       enum mechanism mechanism);

	/*
	 * Writes the request `suspend <cycle>` and its terms for the agent,
	 * without a notification. May be repeated for a cycle with other terms.
	 */
	int (*arm)(struct hypervisor *hypervisor, const struct domain_id *id, uint64_t cycle,
		   const struct agent_terms *terms);

	/*
	 * Subscribes to the guest's suspension, right before the request:
	 * another toolstack process may have replaced an earlier subscription.
	 * A failure shows again in `request`.
	 */
	int (*subscribe)(struct hypervisor *hypervisor, const struct domain_id *id,
			 enum mechanism mechanism);

	/*
	 * Sends the request to suspend (to an agent: a notification).
	 * Subscribes first if that was not done yet.
	 */
	int (*request)(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism);

	/* Retracts a request. Returns an enum retract_outcome or a negative errno. */
	int (*retract)(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism, uint64_t cycle);

	/*
	 * Reads the present state of the domain; GUEST_GONE if there is none of
	 * this domid and UUID.
	 */
	int (*get_state)(struct hypervisor *hypervisor, const struct domain_id *id,
			 struct domain_state *ret_state);

	/* As last published by the agent. */
	int (*get_agent_state)(struct hypervisor *hypervisor, const struct domain_id *id,
			       struct agent_state *ret_state);

	/*
	 * Ends the subscription, once the guest is suspended or will not
	 * suspend any more. It would break a later save or migration.
	 */
	int (*unsubscribe)(struct hypervisor *hypervisor, const struct domain_id *id);

	int (*pause)(struct hypervisor *hypervisor, const struct domain_id *id);
	int (*unpause)(struct hypervisor *hypervisor, const struct domain_id *id);

	/*
	 * Does what a resume can do while the domain is still suspended, so that
	 * the resume itself is short. May be repeated, and done long before. A
	 * failure shows again in `resume`.
	 */
	int (*prepare_resume)(struct hypervisor *hypervisor, const struct domain_id *id);

	/* Resumes a suspended domain; it runs when this returns. */
	int (*resume)(struct hypervisor *hypervisor, const struct domain_id *id);

	/*
	 * Notifies xenstored of the resume; can wait until all guests run.
	 * -ESRCH: the domain is gone.
	 */
	int (*resume_in_xenstore)(struct hypervisor *hypervisor, const struct domain_id *id);

	/* Notifies the agent of the wake; ignored by one that has restored already. */
	int (*wake_agent)(struct hypervisor *hypervisor, const struct domain_id *id);

	/* Readable when there may be an event; borrowed. */
	int (*fd)(struct hypervisor *hypervisor);

	/*
	 * Takes the next event, without waiting. Returns 1 with *ret_domid (or
	 * HYPERVISOR_ALL_DOMAINS), 0 if there is none, or a negative errno.
	 */
	int (*next_event)(struct hypervisor *hypervisor, uint32_t *ret_domid);
};

struct hypervisor {
	const struct hypervisor_ops *ops;
};

/* Takes NULL. */
void hypervisor_close(struct hypervisor *hypervisor);

/*
 * The configured terms for an agent whose guest has `timeout_us` to suspend, at
 * most the overall deadline.
 */
struct agent_terms agent_terms_of(const struct config *config, uint64_t timeout_us);

/* Whether both are written alike: in whole milliseconds. */
bool agent_terms_equal(const struct agent_terms *a, const struct agent_terms *b);

#endif
