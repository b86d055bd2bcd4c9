/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who is there, and who is connected to whom, from xenstore. */

#include "xen/xen-host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"

static enum guest_feature read_feature(struct xen *xen, uint32_t domid)
{
	_cleanup_(freep) char *text = store_read_domain(xen, domid, "control/feature-suspend");

	if (!text)
		return GUEST_FEATURE_UNKNOWN;
	if (strcmp(text, "1") == 0)
		return GUEST_FEATURE_YES;
	return strcmp(text, "0") == 0 ? GUEST_FEATURE_NO : GUEST_FEATURE_UNKNOWN;
}

static void read_agent(struct xen *xen, uint32_t domid, struct guest_agent *agent)
{
	_cleanup_(freep) char *version = NULL;
	_cleanup_(freep) char *state = NULL;
	_cleanup_(freep) char *inhibitors = NULL;
	_cleanup_(freep) char *request = NULL;

	version = store_read_domain(xen, domid, PROTOCOL_NODE_VERSION);
	if (!version)
		return;
	agent->present = true;
	/* What is not a number is a version that nobody knows. */
	if (parse_u64(version, UINT32_MAX, &agent->version) < 0)
		agent->version = 0;
	agent->port =
		(uint32_t)store_read_number(xen, domid, PROTOCOL_NODE_EVENT_CHANNEL, UINT32_MAX, 0);
	state = store_read_domain(xen, domid, PROTOCOL_NODE_STATE);
	if (state)
		protocol_parse_state(state, strlen(state), &agent->state);
	inhibitors = store_read_domain(xen, domid, PROTOCOL_NODE_INHIBITORS);
	agent->terms = (struct agent_terms){
		.timeout_us =
			1000 * store_read_number(xen, domid, PROTOCOL_NODE_TIMEOUT, UINT32_MAX, 0),
		.ignore_inhibitors =
			inhibitors && strcmp(inhibitors, PROTOCOL_INHIBITORS_IGNORE) == 0,
	};
	request = store_read_domain(xen, domid, PROTOCOL_NODE_REQUEST);
	if (request)
		protocol_parse_request(request, strlen(request), &agent->request);
}

static void read_name(struct xen *xen, struct guest *guest)
{
	_cleanup_(freep) char *name = store_read_domain(xen, guest->domid, "name");

	if (name)
		text_sanitize(name, strlen(name), guest->name, sizeof(guest->name));
	if (!guest->name[0])
		snprintf(guest->name, sizeof(guest->name), "domain-%" PRIu32, guest->domid);
}

/* Adds a link unless it leads to dom0, which goes last in any case. */
static int add_link(struct inventory *inventory, const struct link *link)
{
	if (link->backend == 0 || link->backend == link->frontend)
		return 0;
	return inventory_add_link(inventory, link);
}

/*
 * One directory of devices of a domain, and what each says of its other end.
 * `take` gets the class directory's name and the device's path.
 */
typedef int (*take_device_fn)(struct xen *xen, struct inventory *inventory, uint32_t domid,
			      const char *class, const char *path);

static int for_each_device(struct xen *xen, struct inventory *inventory, uint32_t domid,
			   const char *directory, take_device_fn take)
{
	unsigned int n_classes, n_devices;
	_cleanup_(freep) char **classes = store_list(xen, directory, &n_classes);
	int r = 0;

	for (unsigned int i = 0; i < n_classes && r == 0; i++) {
		_cleanup_(freep) char **devices = NULL;
		char path[XEN_STORE_PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", directory, classes[i]);
		devices = store_list(xen, path, &n_devices);
		for (unsigned int j = 0; j < n_devices && r == 0; j++) {
			snprintf(path, sizeof(path), "%s/%s/%s", directory, classes[i], devices[j]);
			r = take(xen, inventory, domid, classes[i], path);
		}
	}
	return r;
}

static bool read_domid(struct xen *xen, const char *path, const char *node, uint32_t *ret_domid)
{
	_cleanup_(freep) char *text = NULL;
	char full[XEN_STORE_PATH_MAX];
	uint64_t domid;

	if (snprintf(full, sizeof(full), "%s/%s", path, node) >= (int)sizeof(full))
		return false;
	text = store_read(xen, full);
	if (!text || parse_u64(text, UINT16_MAX, &domid) < 0)
		return false;
	*ret_domid = (uint32_t)domid;
	return true;
}

/* device/<class>/<n>/backend-id: the frontend's word. */
static int take_frontend(struct xen *xen, struct inventory *inventory, uint32_t domid,
			 const char *class, const char *path)
{
	struct link link = {
		.frontend = domid,
		.class = link_class_of_device(class),
		.said_by_frontend = true,
	};

	if (!read_domid(xen, path, "backend-id", &link.backend))
		return 0;
	return add_link(inventory, &link);
}

/*
 * /libxl/<domid>/device/<class>/<n>/backend: the toolstack's own record, which
 * only dom0 can write: "/local/domain/<backend>/backend/…".
 */
static int take_toolstack(struct xen *xen, struct inventory *inventory, uint32_t domid,
			  const char *class, const char *path)
{
	struct link link = {
		.frontend = domid,
		.class = link_class_of_device(class),
		.said_by_toolstack = true,
	};
	_cleanup_(freep) char *backend = NULL;
	char full[XEN_STORE_PATH_MAX];

	if (snprintf(full, sizeof(full), "%s/backend", path) >= (int)sizeof(full))
		return 0;
	backend = store_read(xen, full);
	if (!backend || sscanf(backend, "/local/domain/%" SCNu32 "/", &link.backend) != 1)
		return 0;
	return add_link(inventory, &link);
}

/* backend/<class>/<frontend>/<n>/frontend-id: the backend's word. */
static int take_backend(struct xen *xen, struct inventory *inventory, uint32_t domid,
			const char *class, const char *path)
{
	struct link link = {
		.backend = domid,
		.class = link_class_of_device(class),
		.said_by_backend = true,
	};
	_cleanup_(freep) char **devices = NULL;
	unsigned int n_devices;

	devices = store_list(xen, path, &n_devices);
	for (unsigned int i = 0; i < n_devices; i++) {
		char full[XEN_STORE_PATH_MAX];
		int r;

		if (snprintf(full, sizeof(full), "%s/%s", path, devices[i]) >= (int)sizeof(full) ||
		    !read_domid(xen, full, "frontend-id", &link.frontend))
			continue;
		r = add_link(inventory, &link);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A stub domain says whose device model it is in a node that dom0 owns. */
static int take_stub_domain(struct xen *xen, struct inventory *inventory, uint32_t domid)
{
	struct link link = {
		.backend = domid,
		.class = LINK_DEVICE_MODEL,
		.said_by_toolstack = true,
	};
	char path[XEN_STORE_PATH_MAX];

	xen_store_format_path(domid, "", path);
	if (!read_domid(xen, path, "target", &link.frontend))
		return 0;
	return add_link(inventory, &link);
}

static unsigned int count_pci(struct xen *xen, uint32_t domid)
{
	char node[64];

	snprintf(node, sizeof(node), "backend/pci/%" PRIu32 "/0/num_devs", domid);
	return (unsigned int)store_read_number(xen, 0, node, 4096, 0);
}

/* Whether libxl knows the domain, even if it has no devices. */
static bool is_libxls(struct xen *xen, uint32_t domid)
{
	unsigned int n;
	_cleanup_(freep) char **nodes = NULL;
	char path[XEN_STORE_PATH_MAX];

	snprintf(path, sizeof(path), "/libxl/%" PRIu32, domid);
	nodes = store_list(xen, path, &n);
	return n > 0;
}

/*
 * Where libxl has made the domain its own record is enough, and spares a dozen
 * round trips to xenstored. Another toolstack's domains are asked themselves.
 */
static int read_links(struct xen *xen, struct inventory *inventory, uint32_t domid,
		      bool *ret_has_record)
{
	unsigned int n_classes;
	_cleanup_(freep) char **classes = NULL;
	char path[XEN_STORE_PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "/libxl/%" PRIu32 "/device", domid);
	classes = store_list(xen, path, &n_classes);
	*ret_has_record = classes || is_libxls(xen, domid);
	if (*ret_has_record) {
		r = for_each_device(xen, inventory, domid, path, take_toolstack);
	} else {
		xen_store_format_path(domid, "device", path);
		r = for_each_device(xen, inventory, domid, path, take_frontend);
	}
	return r == 0 ? take_stub_domain(xen, inventory, domid) : r;
}

static int read_guest(struct xen *xen, struct inventory *inventory, const struct xen_domain *domain,
		      bool *ret_has_record)
{
	struct guest guest = {
		.domid = domain->id.domid,
		.type = domain->type,
		.state = domain->look.state,
		.has_pv_drivers = true,
	};
	_cleanup_(freep) char *shutdown = NULL;
	int r;

	memcpy(guest.uuid, domain->id.uuid, GUEST_UUID_SIZE);
	read_name(xen, &guest);
	guest.feature_suspend = read_feature(xen, guest.domid);
	shutdown = store_read_domain(xen, guest.domid, PROTOCOL_NODE_SHUTDOWN);
	if (shutdown)
		text_sanitize(shutdown, strlen(shutdown), guest.shutdown_node,
			      sizeof(guest.shutdown_node));
	if (guest.type == GUEST_HVM)
		xen_read_hvm(xen, guest.domid, &guest.has_pv_drivers, &guest.in_acpi_s3);
	guest.pci_functions = count_pci(xen, guest.domid);
	guest.kernel_port = (uint32_t)store_read_number(
		xen, guest.domid, "device/suspend/event-channel", UINT32_MAX, 0);
	read_agent(xen, guest.domid, &guest.agent);
	r = inventory_add_guest(inventory, &guest);
	return r == 0 ? read_links(xen, inventory, guest.domid, ret_has_record) : r;
}

/* The backends' word, needed only for frontends that libxl does not vouch for.
 */
static int read_backends(struct xen *xen, struct inventory *inventory)
{
	char path[XEN_STORE_PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < inventory->n_guests && r == 0; i++) {
		xen_store_format_path(inventory->guests[i].domid, "backend", path);
		r = for_each_device(xen, inventory, inventory->guests[i].domid, path, take_backend);
	}
	return r;
}

/* ---- what is known already ---------------------------------------------- */

/* What was read of one domain: a guest and its links, unfinished. */
struct domain_record {
	struct domain_id id;
	struct inventory facts;
	bool has_record; /* libxl's, see read_links */
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
static int take_domain(struct xen *xen, struct inventory_cache *cache,
		       const struct xen_domain *domain, struct inventory *inventory,
		       bool *ret_has_record)
{
	struct domain_record *record;
	int r;

	if (!cache)
		return read_guest(xen, inventory, domain, ret_has_record);
	r = take_record(xen, cache, domain, &record);
	if (r < 0)
		return r;
	if (record->expired || record->refused || !record->has_record ||
	    domain->type == GUEST_HVM) {
		inventory_done(&record->facts);
		record->facts = (struct inventory){ 0 };
		record->has_record = false;
		r = read_guest(xen, &record->facts, domain, &record->has_record);
		if (r < 0)
			return r;
		record->expired = false;
	}
	*ret_has_record = record->has_record;
	return copy_facts(&record->facts, domain, inventory);
}

static int read_domains(struct xen *xen, struct inventory_cache *cache, struct inventory *inventory)
{
	struct xen_domain domains[XEN_DOMAINS_AT_ONCE];
	uint32_t first = 1; /* dom0 is no guest */
	bool all_have_records = true;
	int n, r = 0;

	do {
		n = xen_list_domains(xen, first, domains, XEN_DOMAINS_AT_ONCE);
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			bool has_record = false;

			if (domains[i].is_xenstore_domain)
				continue;
			r = take_domain(xen, cache, &domains[i], inventory, &has_record);
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
		r = read_backends(xen, inventory);
	return r < 0 ? r : inventory_finish(inventory);
}

int xen_read_inventory(struct xen *xen, struct inventory_cache *cache,
		       struct inventory *ret_inventory)
{
	struct inventory inventory = { 0 };
	int r = read_domains(xen, cache, &inventory);

	if (r < 0) {
		inventory_done(&inventory);
		return r;
	}
	*ret_inventory = inventory;
	return 0;
}
