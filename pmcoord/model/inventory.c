/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/inventory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/enum-name.h"

void inventory_done(struct inventory *inventory)
{
	if (!inventory)
		return;
	free(inventory->guests);
	domid_index_done(&inventory->by_domid);
	free(inventory->links);
	*inventory = (struct inventory){ 0 };
}

int inventory_add_guest(struct inventory *inventory, const struct guest *guest)
{
	assert(inventory && guest);
	if (array_grow(&inventory->guests, inventory->n_guests, sizeof(*inventory->guests)) < 0)
		return -ENOMEM;
	inventory->guests[inventory->n_guests++] = *guest;
	return 0;
}

int inventory_add_link(struct inventory *inventory, const struct link *link)
{
	assert(inventory && link);
	if (array_grow(&inventory->links, inventory->n_links, sizeof(*inventory->links)) < 0)
		return -ENOMEM;
	inventory->links[inventory->n_links++] = *link;
	return 0;
}

bool link_is_confirmed(const struct link *link)
{
	return link->recorded_by_toolstack ||
	       (link->recorded_by_frontend && link->recorded_by_backend);
}

int guest_compare(const struct guest *a, const struct guest *b)
{
	int r = memcmp(a->uuid, b->uuid, GUEST_UUID_SIZE);

	if (r != 0)
		return r;
	return (a->domid > b->domid) - (a->domid < b->domid);
}

static int compare_guests(const void *a, const void *b)
{
	return guest_compare(a, b);
}

static int compare_links(const void *a, const void *b)
{
	const struct link *left = a, *right = b;

	if (left->frontend != right->frontend)
		return left->frontend < right->frontend ? -1 : 1;
	if (left->backend != right->backend)
		return left->backend < right->backend ? -1 : 1;
	return (int)left->class - (int)right->class;
}

/* Merges the records of each (frontend, backend, class) into one link. */
static void merge_links(struct inventory *inventory)
{
	size_t kept = 0;

	if (inventory->n_links == 0)
		return;
	qsort(inventory->links, inventory->n_links, sizeof(*inventory->links), compare_links);
	for (size_t i = 1; i < inventory->n_links; i++) {
		struct link *last = &inventory->links[kept];
		const struct link *link = &inventory->links[i];

		if (compare_links(last, link) == 0) {
			last->recorded_by_frontend |= link->recorded_by_frontend;
			last->recorded_by_backend |= link->recorded_by_backend;
			last->recorded_by_toolstack |= link->recorded_by_toolstack;
		} else {
			inventory->links[++kept] = *link;
		}
	}
	inventory->n_links = kept + 1;
}

static uint32_t domid_at(const void *guests, size_t i)
{
	return ((const struct guest *)guests)[i].domid;
}

static int index_domids(struct inventory *inventory)
{
	struct domid_index index;
	int r = domid_index_make(&index, inventory->guests, inventory->n_guests, domid_at);

	if (r < 0)
		return r;
	domid_index_done(&inventory->by_domid);
	inventory->by_domid = index;
	return 0;
}

static struct guest *find_domid(const struct inventory *inventory, uint32_t domid)
{
	size_t n;
	const struct domid_entry *entry = domid_index_find(&inventory->by_domid, domid, &n);

	return entry ? &inventory->guests[entry->element] : NULL;
}

static void set_roles(struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->n_guests; i++)
		if (inventory->guests[i].pci_functions > 0)
			inventory->guests[i].role = GUEST_ROLE_DRIVER_DOMAIN;
	for (size_t i = 0; i < inventory->n_links; i++) {
		const struct link *link = &inventory->links[i];
		struct guest *backend = find_domid(inventory, link->backend);

		if (!backend || !link_is_confirmed(link) || link->class == LINK_CONFIGURED)
			continue;
		if (link->class == LINK_DEVICE_MODEL)
			backend->role = GUEST_ROLE_STUB_DOMAIN;
		else if (backend->role == GUEST_ROLE_GUEST)
			backend->role = GUEST_ROLE_DRIVER_DOMAIN;
	}
}

int inventory_finish(struct inventory *inventory)
{
	assert(inventory);
	if (inventory->n_guests > 0)
		qsort(inventory->guests, inventory->n_guests, sizeof(*inventory->guests),
		      compare_guests);
	merge_links(inventory);
	if (index_domids(inventory) < 0)
		return -ENOMEM;
	set_roles(inventory);
	return 0;
}

const struct guest *inventory_find_domid(const struct inventory *inventory, uint32_t domid)
{
	/* The index exists in a finished inventory only. */
	assert(inventory->by_domid.entries || inventory->n_guests == 0);
	return find_domid(inventory, domid);
}

const struct guest *inventory_find_name(const struct inventory *inventory, const char *name)
{
	assert(inventory && name);
	for (size_t i = 0; i < inventory->n_guests; i++)
		if (strcmp(inventory->guests[i].name, name) == 0)
			return &inventory->guests[i];
	return NULL;
}

int link_class_parse_device(const char *device, enum link_class *ret)
{
	static const struct {
		const char *device;
		enum link_class class;
	} classes[] = {
		{ "vif", LINK_NETWORK },      { "vbd", LINK_STORAGE },
		{ "qdisk", LINK_STORAGE },    { "9pfs", LINK_STORAGE },
		{ "xen_9pfs", LINK_STORAGE }, { "virtio_disk", LINK_STORAGE },
		{ "vscsi", LINK_STORAGE },    { "vusb", LINK_USB },
		{ "qusb", LINK_USB },	      { "pci", LINK_PCI },
		{ "vkbd", LINK_CONSOLE },     { "vfb", LINK_CONSOLE },
		{ "vsnd", LINK_CONSOLE },     { "vdispl", LINK_CONSOLE },
		{ "vtpm", LINK_CONSOLE },     { "console", LINK_CONSOLE },
	};

	assert(device && ret);
	for (size_t i = 0; i < ELEMENTSOF(classes); i++) {
		if (strcmp(device, classes[i].device) != 0)
			continue;
		*ret = classes[i].class;
		return 0;
	}
	return -EINVAL;
}

enum link_class link_class_of_device(const char *device)
{
	enum link_class class = LINK_CONSOLE;

	link_class_parse_device(device, &class);
	return class;
}

const char *guest_type_name(enum guest_type type)
{
	static const char *const names[] = {
		[GUEST_PV] = "pv",
		[GUEST_PVH] = "pvh",
		[GUEST_HVM] = "hvm",
	};

	ENUM_COMPLETE(names, GUEST_HVM);
	return ENUM_NAME(names, type);
}

bool guest_agent_has_stopped(const struct guest *guest)
{
	return guest->agent.present && guest->agent.state.state == PROTOCOL_AGENT_NONE &&
	       guest->role != GUEST_ROLE_DRIVER_DOMAIN;
}

const char *guest_role_name(enum guest_role role)
{
	static const char *const names[] = {
		[GUEST_ROLE_GUEST] = "guest",
		[GUEST_ROLE_DRIVER_DOMAIN] = "driver-domain",
		[GUEST_ROLE_STUB_DOMAIN] = "stub-domain",
	};

	ENUM_COMPLETE(names, GUEST_ROLE_STUB_DOMAIN);
	return ENUM_NAME(names, role);
}

const char *guest_state_name(enum guest_state state)
{
	static const char *const names[] = {
		[GUEST_RUNNING] = "running",	 [GUEST_PAUSED] = "paused",
		[GUEST_SUSPENDED] = "suspended", [GUEST_SHUT_DOWN] = "shut-down",
		[GUEST_DYING] = "dying",	 [GUEST_GONE] = "gone",
	};

	ENUM_COMPLETE(names, GUEST_GONE);
	return ENUM_NAME(names, state);
}

static const char *const end_names[] = {
	[GUEST_NOT_ENDED] = "",		  [GUEST_DESTROYED] = "destroyed",
	[GUEST_POWERED_OFF] = "poweroff", [GUEST_REBOOTED] = "reboot",
	[GUEST_CRASHED] = "crashed",
};
ENUM_COMPLETE(end_names, GUEST_CRASHED);

const char *guest_end_name(enum guest_end end)
{
	return ENUM_NAME(end_names, end);
}

enum guest_end guest_end_parse(const char *name)
{
	int end = ENUM_PARSE(end_names, name);

	return end <= GUEST_NOT_ENDED ? GUEST_DESTROYED : (enum guest_end)end;
}

const char *link_class_name(enum link_class class)
{
	static const char *const names[] = {
		[LINK_CONFIGURED] = "SuspendBefore",  [LINK_CONSOLE] = "console",
		[LINK_NETWORK] = "network",	      [LINK_USB] = "USB",
		[LINK_STORAGE] = "storage",	      [LINK_PCI] = "PCI",
		[LINK_DEVICE_MODEL] = "device model",
	};

	ENUM_COMPLETE(names, LINK_DEVICE_MODEL);
	return ENUM_NAME(names, class);
}

struct domain_id domain_id_of(const struct guest *guest)
{
	return domain_id_make(guest->domid, guest->uuid);
}
