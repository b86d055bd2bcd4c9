/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-guest-tree.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "pmcoord/protocol.h"

static enum guest_feature read_feature(struct xen_store *store, uint32_t domid)
{
	_cleanup_(freep) char *text =
		xen_store_read_domain(store, domid, "control/feature-suspend");

	if (!text)
		return GUEST_FEATURE_UNKNOWN;
	if (strcmp(text, "1") == 0)
		return GUEST_FEATURE_YES;
	return strcmp(text, "0") == 0 ? GUEST_FEATURE_NO : GUEST_FEATURE_UNKNOWN;
}

static void read_agent(struct xen_store *store, uint32_t domid, struct guest_agent *agent)
{
	_cleanup_(freep) char *version = NULL;
	_cleanup_(freep) char *state = NULL;
	_cleanup_(freep) char *inhibitors = NULL;
	_cleanup_(freep) char *request = NULL;

	version = xen_store_read_domain(store, domid, PROTOCOL_NODE_VERSION);
	if (!version)
		return;
	agent->present = true;
	/* A version that is not a number becomes 0, which is not a supported version. */
	if (parse_u64(version, UINT32_MAX, &agent->version) < 0)
		agent->version = 0;
	agent->port = (uint32_t)xen_store_read_number(store, domid, PROTOCOL_NODE_EVENT_CHANNEL,
						      UINT32_MAX, 0);
	state = xen_store_read_domain(store, domid, PROTOCOL_NODE_STATE);
	if (state)
		protocol_parse_state(state, strlen(state), &agent->state);
	inhibitors = xen_store_read_domain(store, domid, PROTOCOL_NODE_INHIBITORS);
	agent->terms = (struct agent_terms){
		.timeout_us = 1000 * xen_store_read_number(store, domid, PROTOCOL_NODE_TIMEOUT,
							   UINT32_MAX, 0),
		.ignore_inhibitors =
			inhibitors && strcmp(inhibitors, PROTOCOL_INHIBITORS_IGNORE) == 0,
	};
	request = xen_store_read_domain(store, domid, PROTOCOL_NODE_REQUEST);
	if (request)
		protocol_parse_request(request, strlen(request), &agent->request);
}

static void read_name(struct xen_store *store, struct guest *guest)
{
	_cleanup_(freep) char *name = xen_store_read_domain(store, guest->domid, "name");

	if (name)
		text_sanitize(name, strlen(name), guest->name, sizeof(guest->name));
	if (!guest->name[0])
		snprintf(guest->name, sizeof(guest->name), "domain-%" PRIu32, guest->domid);
}

/*
 * Adds a link, unless the backend is dom0 or the frontend itself. A link to
 * dom0 is not needed, because dom0 always sleeps last.
 */
static int add_link(struct inventory *inventory, const struct link *link)
{
	if (link->backend == 0 || link->backend == link->frontend)
		return 0;
	return inventory_add_link(inventory, link);
}

/*
 * Writes "<directory>/<name>" to `ret` (XEN_STORE_PATH_MAX bytes). Returns false if
 * the path does not fit, which happens only if a guest writes a very long name.
 */
static bool join_path(const char *directory, const char *name, char *ret)
{
	return snprintf(ret, XEN_STORE_PATH_MAX, "%s/%s", directory, name) < XEN_STORE_PATH_MAX;
}

/*
 * Adds the links that the xenstore directory `path` of a domain describes.
 * Called for each directory <directory>/<class>/<entry>. Returns 0, even if the
 * directory describes no link, or -ENOMEM.
 */
typedef int (*read_device_fn)(struct xen_store *store, struct inventory *inventory, uint32_t domid,
			      const char *class, const char *path);

static int for_each_device(struct xen_store *store, struct inventory *inventory, uint32_t domid,
			   const char *directory, read_device_fn read_device)
{
	unsigned int n_classes, n_devices;
	_cleanup_(freep) char **classes = xen_store_list(store, directory, &n_classes);
	int r = 0;

	for (unsigned int i = 0; i < n_classes && r == 0; i++) {
		_cleanup_(freep) char **devices = NULL;
		char class_path[XEN_STORE_PATH_MAX], path[XEN_STORE_PATH_MAX];

		if (!join_path(directory, classes[i], class_path))
			continue;
		devices = xen_store_list(store, class_path, &n_devices);
		for (unsigned int j = 0; j < n_devices && r == 0; j++)
			if (join_path(class_path, devices[j], path))
				r = read_device(store, inventory, domid, classes[i], path);
	}
	return r;
}

static bool read_domid(struct xen_store *store, const char *path, const char *node,
		       uint32_t *ret_domid)
{
	_cleanup_(freep) char *text = NULL;
	char full[XEN_STORE_PATH_MAX];
	uint64_t domid;

	if (!join_path(path, node, full))
		return false;
	text = xen_store_read(store, full);
	if (!text || parse_u64(text, UINT16_MAX, &domid) < 0)
		return false;
	*ret_domid = (uint32_t)domid;
	return true;
}

/* Reads device/<class>/<n>/backend-id, in which the frontend names its backend. */
static int read_frontend(struct xen_store *store, struct inventory *inventory, uint32_t domid,
			 const char *class, const char *path)
{
	struct link link = {
		.frontend = domid,
		.class = link_class_of_device(class),
		.recorded_by_frontend = true,
	};

	if (!read_domid(store, path, "backend-id", &link.backend))
		return 0;
	return add_link(inventory, &link);
}

/*
 * Reads /libxl/<domid>/device/<class>/<n>/backend, libxl's record of the
 * backend: "/local/domain/<backend>/backend/…". Only dom0 can write the record.
 */
static int read_toolstack(struct xen_store *store, struct inventory *inventory, uint32_t domid,
			  const char *class, const char *path)
{
	struct link link = {
		.frontend = domid,
		.class = link_class_of_device(class),
		.recorded_by_toolstack = true,
	};
	_cleanup_(freep) char *backend = NULL;
	char full[XEN_STORE_PATH_MAX];

	if (!join_path(path, "backend", full))
		return 0;
	backend = xen_store_read(store, full);
	if (!backend || sscanf(backend, "/local/domain/%" SCNu32 "/", &link.backend) != 1)
		return 0;
	return add_link(inventory, &link);
}

/* Reads backend/<class>/<frontend>/<n>/frontend-id, in which the backend names its frontend. */
static int read_backend(struct xen_store *store, struct inventory *inventory, uint32_t domid,
			const char *class, const char *path)
{
	struct link link = {
		.backend = domid,
		.class = link_class_of_device(class),
		.recorded_by_backend = true,
	};
	_cleanup_(freep) char **devices = NULL;
	unsigned int n_devices;

	devices = xen_store_list(store, path, &n_devices);
	for (unsigned int i = 0; i < n_devices; i++) {
		char full[XEN_STORE_PATH_MAX];
		int r;

		if (!join_path(path, devices[i], full) ||
		    !read_domid(store, full, "frontend-id", &link.frontend))
			continue;
		r = add_link(inventory, &link);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Reads the node "target" of a stub domain. It contains the domid of the guest
 * whose devices the stub domain emulates; other domains have no such node. The
 * link counts as recorded by the toolstack, because dom0 owns the node.
 */
static int read_stub_domain(struct xen_store *store, struct inventory *inventory, uint32_t domid)
{
	struct link link = {
		.backend = domid,
		.class = LINK_DEVICE_MODEL,
		.recorded_by_toolstack = true,
	};
	char path[XEN_STORE_PATH_MAX];

	xen_store_format_path(domid, "", path);
	if (!read_domid(store, path, "target", &link.frontend))
		return 0;
	return add_link(inventory, &link);
}

static unsigned int count_pci(struct xen_store *store, uint32_t domid)
{
	char node[64];

	snprintf(node, sizeof(node), "backend/pci/%" PRIu32 "/0/num_devs", domid);
	return (unsigned int)xen_store_read_number(store, 0, node, 4096, 0);
}

/* Whether libxl has a record of the domain, possibly without devices. */
static bool has_libxl_record(struct xen_store *store, uint32_t domid)
{
	unsigned int n;
	_cleanup_(freep) char **nodes = NULL;
	char path[XEN_STORE_PATH_MAX];

	snprintf(path, sizeof(path), "/libxl/%" PRIu32, domid);
	nodes = xen_store_list(store, path, &n);
	return n > 0;
}

/*
 * Reads the domain's links from libxl's record below /libxl. The record lists
 * all devices, and reading it needs about twelve fewer round trips to xenstored
 * than reading the domain's own tree. A domain that another toolstack has
 * created has no record: its own tree is read instead.
 */
static int read_links(struct xen_store *store, struct inventory *inventory, uint32_t domid,
		      bool *ret_has_record)
{
	unsigned int n_classes;
	_cleanup_(freep) char **classes = NULL;
	char path[XEN_STORE_PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "/libxl/%" PRIu32 "/device", domid);
	classes = xen_store_list(store, path, &n_classes);
	*ret_has_record = classes || has_libxl_record(store, domid);
	if (*ret_has_record) {
		r = for_each_device(store, inventory, domid, path, read_toolstack);
	} else {
		xen_store_format_path(domid, "device", path);
		r = for_each_device(store, inventory, domid, path, read_frontend);
	}
	return r == 0 ? read_stub_domain(store, inventory, domid) : r;
}

static void read_shutdown(struct xen_store *store, struct guest *guest)
{
	_cleanup_(freep) char *shutdown =
		xen_store_read_domain(store, guest->domid, PROTOCOL_NODE_SHUTDOWN);

	if (shutdown)
		text_sanitize(shutdown, strlen(shutdown), guest->shutdown_node,
			      sizeof(guest->shutdown_node));
}

int xen_guest_tree_read(struct xen_store *store, const struct guest *facts,
			struct inventory *inventory, bool *ret_has_record)
{
	struct guest guest = *facts;
	int r;

	assert(store && inventory && ret_has_record);
	read_name(store, &guest);
	guest.feature_suspend = read_feature(store, guest.domid);
	read_shutdown(store, &guest);
	guest.pci_functions = count_pci(store, guest.domid);
	guest.kernel_port = (uint32_t)xen_store_read_number(
		store, guest.domid, "device/suspend/event-channel", UINT32_MAX, 0);
	read_agent(store, guest.domid, &guest.agent);
	r = inventory_add_guest(inventory, &guest);
	return r == 0 ? read_links(store, inventory, guest.domid, ret_has_record) : r;
}

/* A link that only the backend reports is not confirmed, see link_is_confirmed. */
int xen_guest_tree_read_backends(struct xen_store *store, struct inventory *inventory)
{
	char path[XEN_STORE_PATH_MAX];
	int r = 0;

	assert(store && inventory);
	for (size_t i = 0; i < inventory->n_guests && r == 0; i++) {
		uint32_t domid = inventory->guests[i].domid;

		xen_store_format_path(domid, "backend", path);
		r = for_each_device(store, inventory, domid, path, read_backend);
	}
	return r;
}
