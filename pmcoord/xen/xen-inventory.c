/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "xen/xen-host.h"
#include "xen/xen-guest-tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_guest(struct xen *xen, struct xen_store *store, struct inventory *inventory,
		      const struct xen_domain *domain, bool *ret_has_record)
{
	struct guest guest = {
		.domid = domain->id.domid,
		.type = domain->type,
		.state = domain->look.state,
		.has_pv_drivers = true,
	};

	memcpy(guest.uuid, domain->id.uuid, GUEST_UUID_SIZE);
	if (guest.type == GUEST_HVM)
		xen_read_hvm(xen, guest.domid, &guest.has_pv_drivers, &guest.in_acpi_s3);
	return xen_guest_tree_read(store, &guest, inventory, ret_has_record);
}

/* ---- what is known already ---------------------------------------------- */

/* What was read of one domain: a guest and its links, unfinished. */
struct domain_record {
	struct domain_id id;
	struct inventory facts;
	bool has_record; /* of libxl, see xen_guest_tree_read */
	bool expired;
	bool refused; /* nobody tells when it changes */
	bool seen; /* in the list that is being read */
};

struct inventory_cache {
	struct domain_record *records;
	size_t n_records;
};

int inventory_cache_new(struct inventory_cache **ret_cache)
{
	struct inventory_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	*ret_cache = cache;
	return 0;
}

void inventory_cache_free(struct inventory_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->n_records; i++)
		inventory_done(&cache->records[i].facts);
	free(cache->records);
	free(cache);
}

static struct domain_record *find_record(struct inventory_cache *cache, uint32_t domid)
{
	for (size_t i = 0; i < cache->n_records; i++)
		if (cache->records[i].id.domid == domid)
			return &cache->records[i];
	return NULL;
}

void inventory_cache_expire(struct inventory_cache *cache, uint32_t domid)
{
	struct domain_record *record = find_record(cache, domid);

	if (record)
		record->expired = true;
}

void inventory_cache_refuse(struct inventory_cache *cache, uint32_t domid)
{
	struct domain_record *record = find_record(cache, domid);

	if (record)
		record->refused = true;
}

static void remove_record(struct xen *xen, struct inventory_cache *cache,
			  struct domain_record *record)
{
	struct domain_id id = record->id;

	inventory_done(&record->facts);
	*record = cache->records[--cache->n_records];
	xen_domain_went(xen, &id);
}

/* The record of a domain that is there now, made if it is new. */
static int take_record(struct xen *xen, struct inventory_cache *cache,
		       const struct xen_domain *domain, struct domain_record **ret_record)
{
	struct domain_record *record = find_record(cache, domain->id.domid);

	if (record && memcmp(record->id.uuid, domain->id.uuid, GUEST_UUID_SIZE)) {
		remove_record(xen, cache, record);
		record = NULL;
	}
	if (!record) {
		record = reallocarray(cache->records, cache->n_records + 1, sizeof(*record));
		if (!record)
			return -ENOMEM;
		cache->records = record;
		record += cache->n_records++;
		*record = (struct domain_record){
			.id.domid = domain->id.domid,
			.expired = true,
		};
		memcpy(record->id.uuid, domain->id.uuid, GUEST_UUID_SIZE);
		/* Watched before it is read: nothing is missed in between. */
		xen_domain_appeared(xen, domain->id.domid);
	}
	record->seen = true;
	*ret_record = record;
	return 0;
}

static void forget_the_gone(struct xen *xen, struct inventory_cache *cache)
{
	for (size_t i = cache->n_records; i-- > 0;) {
		if (!cache->records[i].seen)
			remove_record(xen, cache, &cache->records[i]);
		else
			cache->records[i].seen = false;
	}
}

/* ---- all of them -------------------------------------------------------- */

static int copy_facts(const struct inventory *facts, const struct xen_domain *domain,
		      struct inventory *inventory)
{
	struct guest guest = facts->guests[0];
	int r;

	guest.state = domain->look.state;
	r = inventory_add_guest(inventory, &guest);
	for (size_t i = 0; i < facts->n_links && r == 0; i++)
		r = inventory_add_link(inventory, &facts->links[i]);
	return r;
}

/* Adds a domain to the inventory, from the cache where it is still right. */
static int take_domain(struct xen *xen, struct xen_store *store, struct inventory_cache *cache,
		       const struct xen_domain *domain, struct inventory *inventory,
		       bool *ret_has_record)
{
	struct domain_record *record;
	int r;

	if (!cache)
		return read_guest(xen, store, inventory, domain, ret_has_record);
	r = take_record(xen, cache, domain, &record);
	if (r < 0)
		return r;
	if (record->expired || record->refused || !record->has_record ||
	    domain->type == GUEST_HVM) {
		inventory_done(&record->facts);
		record->facts = (struct inventory){ 0 };
		record->has_record = false;
		r = read_guest(xen, store, &record->facts, domain, &record->has_record);
		if (r < 0)
			return r;
		record->expired = false;
	}
	*ret_has_record = record->has_record;
	return copy_facts(&record->facts, domain, inventory);
}

static int read_domains(struct xen *xen, struct xen_control *control, struct xen_store *store,
			struct inventory_cache *cache, struct inventory *inventory)
{
	struct xen_domain domains[XEN_DOMAINS_AT_ONCE];
	uint32_t first = 1; /* dom0 is no guest */
	bool all_have_records = true;
	int n, r = 0;

	do {
		n = xen_control_list_domains(control, first, domains, XEN_DOMAINS_AT_ONCE);
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			bool has_record = false;

			if (domains[i].is_xenstore_domain)
				continue;
			r = take_domain(xen, store, cache, &domains[i], inventory, &has_record);
			if (r < 0)
				return r;
			all_have_records &= has_record;
		}
		if (n > 0)
			first = domains[n - 1].id.domid + 1;
	} while (n == XEN_DOMAINS_AT_ONCE);
	if (cache)
		forget_the_gone(xen, cache);
	if (!all_have_records)
		r = xen_guest_tree_read_backends(store, inventory);
	return r < 0 ? r : inventory_finish(inventory);
}

int xen_read_inventory(struct xen *xen, struct xen_control *control, struct xen_store *store,
		       struct inventory_cache *cache, struct inventory *ret_inventory)
{
	struct inventory inventory = { 0 };
	int r = read_domains(xen, control, store, cache, &inventory);

	if (r < 0) {
		inventory_done(&inventory);
		return r;
	}
	*ret_inventory = inventory;
	return 0;
}
