/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_INVENTORY_H
#define PMCOORD_MODEL_INVENTORY_H

/*
 * The guests of this host and the devices that connect them, as
 * hypervisor_ops.inventory reads them. The inventory only has facts. The decisions
 * are in graph.h and plan.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/domain-id.h"
#include "base/domid-index.h"
#include "pmcoord/protocol.h"

/*
 * Size of a guest's name, with its NUL. A longer name, which xl allows, is truncated
 * when the inventory is read.
 */
#define GUEST_NAME_MAX 128

enum guest_type {
	GUEST_PV,
	GUEST_PVH,
	GUEST_HVM,
};

enum guest_role {
	GUEST_ROLE_GUEST,
	GUEST_ROLE_DRIVER_DOMAIN,
	GUEST_ROLE_STUB_DOMAIN,
};

/* State of the domain in Xen. */
enum guest_state {
	GUEST_RUNNING,
	GUEST_PAUSED, /* paused by the toolstack, a user or pmcoord */
	GUEST_SUSPENDED, /* shut down, reason suspend */
	GUEST_SHUT_DOWN, /* shut down, any other reason */
	GUEST_DYING,
	GUEST_GONE,
};

/* How a domain has ended. */
enum guest_end {
	GUEST_NOT_ENDED,
	GUEST_DESTROYED, /* destroyed while it ran, or unknown because the domain is gone */
	GUEST_POWERED_OFF,
	GUEST_REBOOTED,
	GUEST_CRASHED, /* or its watchdog has expired */
};

/* Whether the guest's kernel supports suspend, as its node control/feature-suspend says. */
enum guest_feature {
	GUEST_FEATURE_UNKNOWN, /* the node is missing or empty; perhaps the guest still boots */
	GUEST_FEATURE_NO,
	GUEST_FEATURE_YES,
};

/* Parameters of a request to an agent. */
struct agent_terms {
	uint64_t timeout_us; /* time limit until the guest is suspended; 0: unset */
	bool ignore_inhibitors;
};

struct guest_agent {
	bool present; /* the guest has published a version */
	uint64_t version;
	uint32_t port; /* event channel port in the guest; 0: none */
	struct protocol_state state;
	struct protocol_request request; /* the request that dom0 has written last */
	struct agent_terms terms; /* the terms that dom0 has written last */
};

struct guest {
	uint32_t domid;
	uint8_t uuid[GUEST_UUID_SIZE];
	char name[GUEST_NAME_MAX]; /* sanitised */
	enum guest_type type;
	enum guest_role role;
	enum guest_state state;
	enum guest_feature feature_suspend;
	bool being_built; /* paused by its builder, and never unpaused: it has not run yet */
	char shutdown_node[16]; /* control/shutdown; "": no pending request */
	bool has_pv_drivers; /* HVM: the event callback is set up */
	bool in_acpi_s3; /* HVM: in S3 of its virtual firmware */
	unsigned int pci_functions; /* number of passed-through PCI functions */
	uint32_t kernel_port; /* device/suspend/event-channel; 0: none */
	struct guest_agent agent;
};

/* Kinds of links, weakest first. A dependency loop is broken at its weakest link. */
enum link_class {
	LINK_CONFIGURED, /* SuspendBefore= */
	LINK_CONSOLE, /* vkbd, vfb, console etc., and unknown devices */
	LINK_NETWORK,
	LINK_USB,
	LINK_STORAGE,
	LINK_PCI,
	LINK_DEVICE_MODEL, /* the backend is the guest's stub domain */
};

/*
 * A device for which domain `frontend` needs domain `backend`. The flags tell where
 * the link is recorded. This matters because a guest can write a false record, see
 * link_is_confirmed.
 */
struct link {
	uint32_t frontend;
	uint32_t backend;
	enum link_class class;
	bool recorded_by_frontend;
	bool recorded_by_backend;
	bool recorded_by_toolstack;
};

struct inventory {
	struct guest *guests; /* sorted by UUID after inventory_finish */
	size_t n_guests;
	struct domid_index by_domid; /* index of the guests after inventory_finish */
	struct link *links; /* without duplicates after inventory_finish */
	size_t n_links;
};

/* Frees the contents of `inventory`, which may be NULL. */
void inventory_done(struct inventory *inventory);

/* Appends a copy of a guest. Returns 0 or -ENOMEM. */
int inventory_add_guest(struct inventory *inventory, const struct guest *guest);

/* Appends a copy of a link. Returns 0 or -ENOMEM. */
int inventory_add_link(struct inventory *inventory, const struct link *link);

/*
 * Sorts the guests, merges the records of each link and sets each guest's role.
 * The backend of a confirmed LINK_DEVICE_MODEL is a stub domain. Any other guest that
 * has a PCI function or is the backend of a confirmed link is a driver domain. Must be
 * called once, after the last guest and link were added. Returns 0 or -ENOMEM.
 */
int inventory_finish(struct inventory *inventory);

/*
 * Whether the link is recorded by the toolstack, or by both the frontend and the
 * backend. A record by only one of the two domains is not enough: a guest can write
 * anything below its own path, and must not be able to change the order of other
 * guests.
 */
bool link_is_confirmed(const struct link *link);

/* Orders guests by UUID, then by domid, as in a finished inventory. */
int guest_compare(const struct guest *a, const struct guest *b);

/*
 * Returns the guest with this domid in a finished inventory, borrowed. Returns NULL
 * if there is none.
 */
const struct guest *inventory_find_domid(const struct inventory *inventory, uint32_t domid);

/*
 * Returns the guest with exactly this name in a finished inventory, borrowed.
 * Returns NULL if there is none.
 */
const struct guest *inventory_find_name(const struct inventory *inventory, const char *name);

/*
 * Returns the class of a device directory in xenstore ("vif", "vbd", …), or
 * LINK_CONSOLE for an unknown one.
 */
enum link_class link_class_of_device(const char *device);

/* As link_class_of_device, but returns 0, or -EINVAL for an unknown device directory. */
int link_class_parse_device(const char *device, enum link_class *ret);

/*
 * Whether the guest's agent was stopped cleanly and the guest is no driver domain.
 * Such a guest counts as a guest without an agent. The guest must be of a finished
 * inventory, because inventory_finish sets the roles.
 */
bool guest_agent_has_stopped(const struct guest *guest);

const char *guest_type_name(enum guest_type type);
const char *guest_role_name(enum guest_role role);
const char *guest_state_name(enum guest_state state);
/* Returns a word, e.g. "crashed", or "" for GUEST_NOT_ENDED. */
const char *guest_end_name(enum guest_end end);
/* Parses a name of guest_end_name. Any other name is GUEST_DESTROYED. */
enum guest_end guest_end_parse(const char *name);
const char *link_class_name(enum link_class class);

/* Returns the identity of a guest. */
struct domain_id domain_id_of(const struct guest *guest);

#endif
