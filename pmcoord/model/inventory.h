/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_MODEL_INVENTORY_H
#define PMCOORD_MODEL_INVENTORY_H

/*
 * What is there: the guests of this host and who is connected to whom, as facts
 * that a hypervisor backend has read. Nothing is decided here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/domain-id.h"
#include "base/domid-index.h"
#include "pmcoord/protocol.h"

/* xl refuses longer names only by xenstore's payload; this is what we show. */
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

/* What Xen says of the domain now. */
enum guest_state {
	GUEST_RUNNING,
	GUEST_PAUSED, /* by control software: the user, or us */
	GUEST_SUSPENDED, /* shut down, reason suspend */
	GUEST_SHUT_DOWN, /* shut down, any other reason */
	GUEST_DYING,
	GUEST_GONE,
};

/* control/feature-suspend */
enum guest_feature {
	GUEST_FEATURE_UNKNOWN, /* not there or empty: perhaps still booting */
	GUEST_FEATURE_NO,
	GUEST_FEATURE_YES,
};

/* What an agent is told beside the request. */
struct agent_terms {
	uint64_t timeout_us; /* for the guest to be down; 0: not told */
	bool ignore_inhibitors;
};

struct guest_agent {
	bool present; /* it has published a version */
	uint64_t version;
	uint32_t port; /* the guest's port, 0: none */
	struct protocol_state state;
	struct protocol_request request; /* what dom0 has written so far */
	struct agent_terms terms; /* likewise */
};

struct guest {
	uint32_t domid;
	uint8_t uuid[GUEST_UUID_SIZE];
	char name[GUEST_NAME_MAX]; /* sanitised */
	enum guest_type type;
	enum guest_role role;
	enum guest_state state;
	enum guest_feature feature_suspend;
	char shutdown_node[16]; /* control/shutdown, "" when nothing is asked */
	bool has_pv_drivers; /* HVM: it has set up the event callback */
	bool in_acpi_s3; /* HVM: its own firmware sleeps */
	unsigned int pci_functions; /* passed through to it */
	uint32_t kernel_port; /* device/suspend/event-channel, 0: none */
	struct guest_agent agent;
};

/*
 * What connects a frontend to its backend, weakest first: where links form a
 * circle, it is cut at the weakest.
 */
enum link_class {
	LINK_CONFIGURED, /* SuspendBefore= */
	LINK_CONSOLE, /* vkbd, vfb, console and the like */
	LINK_NETWORK,
	LINK_USB,
	LINK_STORAGE,
	LINK_PCI,
	LINK_DEVICE_MODEL, /* the backend end is the guest's stub domain */
};

/*
 * One device: domain `frontend` needs domain `backend`. Who says so is kept,
 * because each end's word can be a lie; see link_is_believed.
 */
struct link {
	uint32_t frontend;
	uint32_t backend;
	enum link_class class;
	bool said_by_frontend;
	bool said_by_backend;
	bool said_by_toolstack;
};

struct inventory {
	struct guest *guests; /* once finished: sorted by UUID */
	size_t n_guests;
	struct domid_index by_domid; /* once finished: of the guests */
	struct link *links; /* once finished: each connection once */
	size_t n_links;
};

void inventory_done(struct inventory *inventory);

/* Appends a guest or a link (copied). Returns 0 or -ENOMEM. */
int inventory_add_guest(struct inventory *inventory, const struct guest *guest);
int inventory_add_link(struct inventory *inventory, const struct link *link);

/*
 * Sorts the guests, joins what several witnesses said of one link, and gives
 * each guest its role: a driver domain is the believed backend of someone or
 * holds a PCI function. Call once, after the last add. Returns 0 or -ENOMEM.
 */
int inventory_finish(struct inventory *inventory);

/*
 * The toolstack's word is enough; of the two ends, both must say it: a guest
 * can write what it likes below its own path, and must not thereby change when
 * another one goes.
 */
bool link_is_believed(const struct link *link);

/* The order of guests in a finished inventory, by UUID and domid; 0: the same.
 */
int guest_compare(const struct guest *a, const struct guest *b);

/* In a finished inventory; NULL if there is none. By name: exact match. */
const struct guest *inventory_find_domid(const struct inventory *inventory, uint32_t domid);
const struct guest *inventory_find_name(const struct inventory *inventory, const char *name);

/*
 * The device class of a xenstore directory name ("vif", "vbd", …): an unknown
 * one is console-like, or, to be strict, -EINVAL.
 */
enum link_class link_class_of_device(const char *device);
int link_class_parse_device(const char *device, enum link_class *ret);

/*
 * Its agent was stopped in good order, and it has no devices that need one: a
 * guest like those that never had an agent. In a finished inventory.
 */
bool guest_has_given_up_agent(const struct guest *guest);

const char *guest_type_name(enum guest_type type);
const char *guest_role_name(enum guest_role role);
const char *guest_state_name(enum guest_state state);
const char *link_class_name(enum link_class class);

/* The identity of a guest. */
struct domain_id domain_id_of(const struct guest *guest);

#endif
