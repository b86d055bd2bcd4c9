/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-inventory.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "model/domain-id.h"
#include "model/hypervisor.h"
#include "model/inventory.h"
#include "xen/xen-guest-tree.h"

/* The most changes that are read from the watches at once, so that other events get their turn. */
#define CHANGES_AT_ONCE 1024

/* What was read of one domain. */
struct domain_record {
	struct domain_id id;
	struct inventory facts; /* the guest and its links, before inventory_finish */
	bool has_record; /* libxl has a record, see xen_guest_tree_read */
	bool expired; /* the domain has changed: read it again */
	bool is_unwatched; /* a watch could not be set: read the domain each time */
	bool is_listed; /* while an inventory is read: the domain is in Xen's list of domains */
};

struct xen_inventory {
	struct xen_control *control; /* borrowed, like store and watches */
	struct xen_store *store;
	struct xen_watches *watches;
	bool keeps_records; /* set by xen_inventory_watch_domains */
	struct domain_record *records;
	size_t n_records;
	/* Changes that were read from the watches and not yet returned; each domid is there once.
	 */
	uint32_t *changes;
	size_t n_changes;
	bool all_have_changed; /* the change HYPERVISOR_ALL_DOMAINS */
	xen_domain_gone_fn gone;
	void *data;
};

int xen_inventory_new(struct xen_control *control, struct xen_store *store,
		      struct xen_watches *watches, struct xen_inventory **ret_inventory)
{
	struct xen_inventory *inventory = calloc(1, sizeof(*inventory));

	assert(control && store && watches && ret_inventory);
	if (!inventory)
		return -ENOMEM;
	inventory->control = control;
	inventory->store = store;
	inventory->watches = watches;
	*ret_inventory = inventory;
	return 0;
}

void xen_inventory_free(struct xen_inventory *inventory)
{
	if (!inventory)
		return;
	for (size_t i = 0; i < inventory->n_records; i++)
		inventory_done(&inventory->records[i].facts);
	free(inventory->records);
	free(inventory->changes);
	free(inventory);
}

int xen_inventory_watch_domains(struct xen_inventory *inventory, xen_domain_gone_fn gone,
				void *data)
{
	assert(inventory && gone);
	if (inventory->keeps_records)
		return 0;
	inventory->keeps_records = true;
	inventory->gone = gone;
	inventory->data = data;
	return xen_watches_watch_domains(inventory->watches);
}

/* ---- records of domains ------------------------------------------------- */

static struct domain_record *find_record(struct xen_inventory *inventory, uint32_t domid)
{
	for (size_t i = 0; i < inventory->n_records; i++)
		if (inventory->records[i].id.domid == domid)
			return &inventory->records[i];
	return NULL;
}

void xen_inventory_expire(struct xen_inventory *inventory, uint32_t domid)
{
	struct domain_record *record = find_record(inventory, domid);

	assert(inventory);
	if (record)
		record->expired = true;
}

static void add_change(struct xen_inventory *inventory, uint32_t domid)
{
	for (size_t i = 0; i < inventory->n_changes; i++)
		if (inventory->changes[i] == domid)
			return;
	if (domid == HYPERVISOR_ALL_DOMAINS ||
	    array_grow(&inventory->changes, inventory->n_changes, sizeof(domid)) < 0)
		inventory->all_have_changed = true;
	else
		inventory->changes[inventory->n_changes++] = domid;
}

/*
 * HYPERVISOR_ALL_DOMAINS means that a domain was created or has ended. No record
 * expires, because xen_inventory_read reads the list of domains each time.
 */
int xen_inventory_read_changes(struct xen_inventory *inventory)
{
	uint32_t domid;
	int r = 1;

	assert(inventory);
	for (size_t i = 0; i < CHANGES_AT_ONCE && r > 0; i++) {
		r = xen_watches_next(inventory->watches, &domid);
		if (r <= 0)
			break;
		xen_inventory_expire(inventory, domid);
		add_change(inventory, domid);
	}
	return r;
}

bool xen_inventory_take_change(struct xen_inventory *inventory, uint32_t *ret_domid)
{
	assert(inventory && ret_domid);
	if (inventory->all_have_changed) {
		inventory->all_have_changed = false;
		*ret_domid = HYPERVISOR_ALL_DOMAINS;
		return true;
	}
	if (inventory->n_changes == 0)
		return false;
	*ret_domid = inventory->changes[0];
	inventory->n_changes--;
	memmove(inventory->changes, inventory->changes + 1,
		inventory->n_changes * sizeof(*inventory->changes));
	return true;
}

bool xen_inventory_has_changes(const struct xen_inventory *inventory)
{
	assert(inventory);
	return inventory->n_changes > 0 || inventory->all_have_changed;
}

static void remove_record(struct xen_inventory *inventory, struct domain_record *record)
{
	struct domain_id id = record->id;

	inventory_done(&record->facts);
	*record = inventory->records[--inventory->n_records];
	xen_watches_unwatch_domain(inventory->watches, id.domid);
	inventory->gone(inventory->data, &id);
}

static int add_record(struct xen_inventory *inventory, const struct domain_id *id,
		      struct domain_record **ret_record)
{
	struct domain_record *records =
		reallocarray(inventory->records, inventory->n_records + 1, sizeof(*records));
	struct domain_record *record;

	if (!records)
		return -ENOMEM;
	inventory->records = records;
	record = &records[inventory->n_records++];
	*record = (struct domain_record){ .id = *id, .expired = true };
	/* Watch the domain before it is read, so that no change is missed. */
	record->is_unwatched = !xen_watches_watch_domain(inventory->watches, id->domid);
	*ret_record = record;
	return 0;
}

/* Finds or adds the record of a domain that is in Xen's list of domains. */
static int get_record(struct xen_inventory *inventory, const struct domain_id *id,
		      struct domain_record **ret_record)
{
	struct domain_record *record = find_record(inventory, id->domid);
	int r;

	if (record && !domain_id_equal(&record->id, id)) {
		remove_record(inventory, record);
		record = NULL;
	}
	if (!record) {
		r = add_record(inventory, id, &record);
		if (r < 0)
			return r;
	}
	record->is_listed = true;
	*ret_record = record;
	return 0;
}

static void remove_unlisted(struct xen_inventory *inventory)
{
	for (size_t i = inventory->n_records; i-- > 0;) {
		if (!inventory->records[i].is_listed)
			remove_record(inventory, &inventory->records[i]);
		else
			inventory->records[i].is_listed = false;
	}
}

/* ---- one domain --------------------------------------------------------- */

static void read_hvm_params(struct xen_control *control, struct guest *guest)
{
	uint64_t value;

	if (xen_control_get_callback_irq(control, guest->domid, &value) == 0)
		guest->has_pv_drivers = value != 0;
	if (xen_control_get_acpi_state(control, guest->domid, &value) == 0)
		guest->in_acpi_s3 = value == 3;
}

static int read_guest(struct xen_inventory *inventory, const struct xen_domain *domain,
		      struct inventory *facts, bool *ret_has_record)
{
	struct guest guest = {
		.domid = domain->id.domid,
		.type = domain->type,
		.state = domain->state.state,
		.being_built = domain->state.being_built,
		.has_pv_drivers = true,
	};

	memcpy(guest.uuid, domain->id.uuid, GUEST_UUID_SIZE);
	if (guest.type == GUEST_HVM)
		read_hvm_params(inventory->control, &guest);
	return xen_guest_tree_read(inventory->store, &guest, facts, ret_has_record);
}

/*
 * Whether the domain must be read again. HVM guests are read each time, because
 * HVM parameters change without an event. Domains without a record of libxl and muted
 * domains are read each time, because not all of their nodes are watched.
 */
static bool must_read(const struct xen_inventory *inventory, const struct domain_record *record,
		      const struct xen_domain *domain)
{
	return record->expired || record->is_unwatched || !record->has_record ||
	       domain->type == GUEST_HVM ||
	       xen_watches_is_muted(inventory->watches, record->id.domid);
}

static int read_record(struct xen_inventory *inventory, const struct xen_domain *domain,
		       struct domain_record *record)
{
	int r;

	inventory_done(&record->facts);
	record->facts = (struct inventory){ 0 };
	record->has_record = false;
	r = read_guest(inventory, domain, &record->facts, &record->has_record);
	if (r == 0)
		record->expired = false;
	return r;
}

static int copy_facts(const struct inventory *facts, const struct xen_domain *domain,
		      struct inventory *result)
{
	struct guest guest = facts->guests[0];
	int r;

	guest.state = domain->state.state;
	guest.being_built = domain->state.being_built;
	r = inventory_add_guest(result, &guest);
	for (size_t i = 0; i < facts->n_links && r == 0; i++)
		r = inventory_add_link(result, &facts->links[i]);
	return r;
}

/* Appends a domain to the result; reads the domain unless its record is up to date. */
static int add_domain(struct xen_inventory *inventory, const struct xen_domain *domain,
		      struct inventory *result, bool *ret_has_record)
{
	struct domain_record *record;
	int r;

	if (!inventory->keeps_records)
		return read_guest(inventory, domain, result, ret_has_record);
	r = get_record(inventory, &domain->id, &record);
	if (r == 0 && must_read(inventory, record, domain))
		r = read_record(inventory, domain, record);
	if (r < 0)
		return r;
	*ret_has_record = record->has_record;
	return copy_facts(&record->facts, domain, result);
}

/* ---- all domains -------------------------------------------------------- */

/*
 * Appends domains. Sets *all_have_records to false if libxl has no record of
 * one of the domains.
 */
static int add_domains(struct xen_inventory *inventory, const struct xen_domain *domains, size_t n,
		       struct inventory *result, bool *all_have_records)
{
	for (size_t i = 0; i < n; i++) {
		bool has_record = false;
		int r;

		if (domains[i].is_xenstore_domain)
			continue;
		r = add_domain(inventory, &domains[i], result, &has_record);
		if (r < 0)
			return r;
		*all_have_records &= has_record;
	}
	return 0;
}

static int read_domains(struct xen_inventory *inventory, struct inventory *result)
{
	struct xen_domain domains[XEN_DOMAINS_AT_ONCE];
	uint32_t first = 1; /* skip dom0 */
	bool all_have_records = true;
	int n, r;

	do {
		n = xen_control_list_domains(inventory->control, first, domains,
					     XEN_DOMAINS_AT_ONCE);
		if (n < 0)
			return n;
		r = add_domains(inventory, domains, (size_t)n, result, &all_have_records);
		if (r < 0)
			return r;
		if (n > 0)
			first = domains[n - 1].id.domid + 1;
	} while (n == XEN_DOMAINS_AT_ONCE);
	remove_unlisted(inventory);
	if (!all_have_records)
		r = xen_guest_tree_read_backends(inventory->store, result);
	return r < 0 ? r : inventory_finish(result);
}

/*
 * Makes the records expire whose domains have changed; all of them if there are more changes
 * than are read at once. The changes remain, because the caller of next_event waits for them.
 */
static int expire_changed(struct xen_inventory *inventory)
{
	int r = xen_inventory_read_changes(inventory);

	for (size_t i = 0; r > 0 && i < inventory->n_records; i++)
		inventory->records[i].expired = true;
	return r < 0 ? r : 0;
}

int xen_inventory_read(struct xen_inventory *inventory, struct inventory *ret_inventory)
{
	struct inventory result = { 0 };
	int r = inventory->keeps_records ? expire_changed(inventory) : 0;

	assert(ret_inventory);
	if (r == 0)
		r = read_domains(inventory, &result);
	if (r < 0) {
		inventory_done(&result);
		return r;
	}
	xen_watches_restart_counts(inventory->watches);
	*ret_inventory = result;
	return 0;
}
