/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_HYPERVISOR_H
#define PMCOORD_MODEL_HYPERVISOR_H

/*
 * The verbs of a hypervisor: Xen (hypervisor-xen.h) or a simulated one
 * (simulator.h). The engine runs the same plan on both.
 *
 * Unless described otherwise, a verb returns 0 or a negative errno. A verb that
 * changes a domain first checks the domain's UUID, because domids are reused, and
 * returns -ESRCH if no domain has this domid and UUID.
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
	/* The guest does not have the port that it published. Request through xenstore instead. */
	PREPARE_PORT_IS_STALE = 1,
	/* Another program of dom0 holds the port. Request through xenstore instead. */
	PREPARE_PORT_IS_BUSY,
};

/* Outcome of `request`. */
enum request_outcome {
	REQUESTED,
	/* The guest has PV drivers by now, so it must not be forced: nothing was done. */
	REQUEST_HAS_DRIVERS = 1,
	/* Another program has requested the guest to suspend: nothing was done. */
	REQUEST_IS_TAKEN,
	/* The guest's user or another program has paused it: nothing was done. */
	REQUEST_IS_PAUSED,
};

/* Whose request a guest has obeyed or is about to obey. */
enum request_owner {
	REQUEST_OF_US,
	REQUEST_OF_ANOTHER, /* e.g. of 'xl save': the guest must not be resumed */
};

/* Outcome of `retract`. */
enum retract_outcome {
	RETRACTED,
	/* The guest has acknowledged the request, and may still suspend. */
	RETRACT_TOO_LATE = 1,
};

struct domain_state {
	enum guest_state state;
	/* Paused by the toolstack, a user or pmcoord. A suspended domain can be paused, too. */
	bool paused;
	/* Paused by its builder, and never unpaused: the domain has not run yet. */
	bool being_built;
	/* GUEST_SHUT_DOWN, GUEST_DYING, GUEST_GONE: how the domain has ended. */
	enum guest_end end;
};

/* A domain in the list of all domains. */
struct listed_domain {
	struct domain_id id;
	struct domain_state state;
};

struct agent_state {
	struct protocol_state state;
	char detail[PROTOCOL_DETAIL_MAX]; /* sanitised */
};

/* Maximum number of addresses in guest_examination.pci. guest.pci_functions counts all. */
#define EXAMINED_PCI_MAX 16

/* "0000:00:14.0" and NUL, with room for a longer PCI domain. */
#define PCI_ADDRESS_SIZE 16

/* The facts about a guest that only 'pmcoord check' reads. */
struct guest_examination {
	char pci[EXAMINED_PCI_MAX][PCI_ADDRESS_SIZE]; /* addresses in dom0 */
	size_t n_pci;
	uint64_t memory_kib, memory_max_kib; /* 0: unknown */
	bool agent_port_is_stale; /* the guest does not have the port that it published */
};

struct hypervisor;

struct hypervisor_ops {
	const char *name;

	void (*close)(struct hypervisor *hypervisor);

	/*
	 * Connects to xenstored, unless this was done. The first verb that needs xenstored
	 * does this, too, and fails in the same way: -ECONNREFUSED without xenstored. If
	 * xenstored hangs, this hangs with it. No xenstored is needed to resume guests that
	 * are recorded as suspended: for get_state, prepare_resume, resume, pause, unpause,
	 * unsubscribe, list_domains, is_being_saved and fd.
	 */
	int (*connect)(struct hypervisor *hypervisor, struct error *error);

	/*
	 * Subscribes to events about domains that appear, change or disappear. From
	 * now on, facts about a domain are cached until the domain's next event.
	 * Only a process that keeps running, e.g. the daemon, needs this.
	 */
	int (*watch_domains)(struct hypervisor *hypervisor);

	/*
	 * Reads all guests and links, and finishes the inventory. Release:
	 * inventory_done.
	 */
	int (*inventory)(struct hypervisor *hypervisor, struct inventory *ret_inventory,
			 struct error *error);

	/*
	 * Lists all guests in ascending order of their domids, without what xenstore
	 * knows about them: one hypercall for many. The caller frees *ret_domains.
	 */
	int (*list_domains)(struct hypervisor *hypervisor, struct listed_domain **ret_domains,
			    size_t *ret_n);

	/* Reads more facts about one guest of the inventory. */
	int (*examine)(struct hypervisor *hypervisor, const struct guest *guest,
		       struct guest_examination *ret_examination);

	/*
	 * Binds the event channel and sets the watches that a request by this
	 * mechanism needs, so that the request itself is fast. Returns an
	 * enum prepare_outcome or a negative errno.
	 */
	int (*prepare)(struct hypervisor *hypervisor, const struct guest *guest,
		       enum mechanism mechanism);

	/*
	 * Writes the request `suspend <cycle>` and its terms for the agent, but
	 * does not notify the agent. May be called again for the same cycle with
	 * other terms.
	 */
	int (*arm)(struct hypervisor *hypervisor, const struct domain_id *id, uint64_t cycle,
		   const struct agent_terms *terms);

	/*
	 * Subscribes to the notification that the guest is suspended. Must be
	 * called right before the request, because another toolstack process may
	 * replace a subscription. After a failure, `request` tries again.
	 */
	int (*subscribe)(struct hypervisor *hypervisor, const struct domain_id *id,
			 enum mechanism mechanism);

	/*
	 * Sends the request to suspend. With MECHANISM_AGENT, `arm` has written the
	 * request, and this only notifies the agent. Subscribes first if `subscribe`
	 * was not called or has failed. Returns an enum request_outcome or a negative
	 * errno.
	 */
	int (*request)(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism);

	/* Retracts a request. Returns an enum retract_outcome or a negative errno. */
	int (*retract)(struct hypervisor *hypervisor, const struct domain_id *id,
		       enum mechanism mechanism, uint64_t cycle);

	/*
	 * Returns an enum request_owner for a guest that got a request by this mechanism;
	 * `is_suspended`: the guest is suspended. Only requests through xenstore, also those
	 * that an agent writes, can be told apart, so that any other request is ours. Does not wait
	 * for xenstored unless the node of requests has changed since the last call.
	 */
	enum request_owner (*get_request_owner)(struct hypervisor *hypervisor,
						const struct domain_id *id,
						enum mechanism mechanism, bool is_suspended);

	/*
	 * Reads the present state of the domain: GUEST_GONE if no domain has this
	 * domid and UUID.
	 */
	int (*get_state)(struct hypervisor *hypervisor, const struct domain_id *id,
			 struct domain_state *ret_state);

	/* Reads the state that the agent has last published. */
	int (*get_agent_state)(struct hypervisor *hypervisor, const struct domain_id *id,
			       struct agent_state *ret_state);

	/*
	 * Ends the subscription. Must be called when the guest is suspended or will
	 * not suspend any more, because the subscription would break a later save or
	 * migration.
	 */
	int (*unsubscribe)(struct hypervisor *hypervisor, const struct domain_id *id);

	/*
	 * Whether another program of dom0 saves or migrates the domain at present. If the
	 * domain is suspended, this program has suspended it.
	 */
	bool (*is_being_saved)(struct hypervisor *hypervisor, const struct domain_id *id);

	int (*pause)(struct hypervisor *hypervisor, const struct domain_id *id);
	int (*unpause)(struct hypervisor *hypervisor, const struct domain_id *id);

	/*
	 * Does the part of a resume that is possible while the domain is still
	 * suspended, so that `resume` itself is fast. May be called repeatedly
	 * and long before the resume. After a failure, `resume` tries again.
	 */
	int (*prepare_resume)(struct hypervisor *hypervisor, const struct domain_id *id);

	/* Resumes a suspended domain. If this returns 0, the domain runs. */
	int (*resume)(struct hypervisor *hypervisor, const struct domain_id *id);

	/*
	 * Notifies xenstored of the resume. This is not urgent, and may be done
	 * after all guests have been resumed. Returns -ESRCH if the domain is gone.
	 */
	int (*resume_in_xenstore)(struct hypervisor *hypervisor, const struct domain_id *id);

	/*
	 * Notifies the agent of the wake. Must not be called when the agent has
	 * answered the wake: an agent that is ready for its next request takes
	 * the notification for that request.
	 */
	int (*wake_agent)(struct hypervisor *hypervisor, const struct domain_id *id);

	/* Returns a descriptor, borrowed, that is readable when there may be an event. */
	int (*fd)(struct hypervisor *hypervisor);

	/*
	 * Takes the next event, without waiting. Returns 1 with *ret_domid set to
	 * the event's domid or to HYPERVISOR_ALL_DOMAINS, 0 if there is no event,
	 * or a negative errno.
	 */
	int (*next_event)(struct hypervisor *hypervisor, uint32_t *ret_domid);
};

struct hypervisor {
	const struct hypervisor_ops *ops;
};

/* Size of the text of hypervisor_format_taken. */
#define HYPERVISOR_TAKEN_SIZE (GUEST_NAME_MAX + 96)

/*
 * Whether a suspended guest obeyed the request of another program instead of that of this cycle.
 * An agent has its guest suspended only after it has published that it has quiesced
 * (`has_quiesced`: that is recorded). If its state cannot be read, the request is ours.
 */
bool hypervisor_is_taken(struct hypervisor *hypervisor, const struct domain_id *id,
			 enum mechanism mechanism, uint64_t cycle, bool has_quiesced);

/* Writes the text of RECORD_TAKEN to `ret` (HYPERVISOR_TAKEN_SIZE bytes). Returns `ret`. */
const char *hypervisor_format_taken(const char *name, char *ret);

/* Closes and frees `hypervisor`, which may be NULL. */
void hypervisor_close(struct hypervisor *hypervisor);

/*
 * Returns the terms of a request to an agent. Their time limit is `timeout_us`, but
 * at most the configured deadline of the cycle. The configuration also determines
 * whether inhibitors are ignored.
 */
struct agent_terms agent_terms_of(const struct config *config, uint64_t timeout_us);

/* Whether `a` and `b` are the same in xenstore, where timeouts are in whole ms. */
bool agent_terms_equal(const struct agent_terms *a, const struct agent_terms *b);

#endif
