/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-shutdown-nodes.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/protocol.h"

enum stage {
	STAGE_IDLE, /* this process has written no request */
	STAGE_REQUESTED, /* written, and not seen to change since then */
	STAGE_ACKNOWLEDGED, /* seen to be cleared or removed after the request */
	STAGE_TAKEN, /* another program's request was seen */
};

struct node {
	struct domain_id id;
	enum stage stage;
	bool is_good; /* it exists, and the guest owns it */
	bool was_good; /* is_good when the request was written: the guest can acknowledge it */
	bool has_failed; /* the request could not be written */
	bool is_known; /* it was read, when n_changes changes had been reported */
	uint64_t n_changes;
};

struct xen_shutdown_nodes {
	struct xen_store *store; /* borrowed, like watches */
	struct xen_watches *watches;
	struct node *nodes;
	size_t n_nodes;
};

int xen_shutdown_nodes_new(struct xen_store *store, struct xen_watches *watches,
			   struct xen_shutdown_nodes **ret_nodes)
{
	struct xen_shutdown_nodes *nodes = calloc(1, sizeof(*nodes));

	assert(store && watches && ret_nodes);
	if (!nodes)
		return -ENOMEM;
	nodes->store = store;
	nodes->watches = watches;
	*ret_nodes = nodes;
	return 0;
}

void xen_shutdown_nodes_free(struct xen_shutdown_nodes *nodes)
{
	if (!nodes)
		return;
	free(nodes->nodes);
	free(nodes);
}

static struct node *find_node(const struct xen_shutdown_nodes *nodes, const struct domain_id *id)
{
	for (size_t i = 0; i < nodes->n_nodes; i++)
		if (domain_id_equal(&nodes->nodes[i].id, id))
			return &nodes->nodes[i];
	return NULL;
}

/* Finds or adds a node. Returns NULL when out of memory. */
static struct node *get_node(struct xen_shutdown_nodes *nodes, const struct domain_id *id)
{
	struct node *node = find_node(nodes, id);

	if (node)
		return node;
	if (array_grow(&nodes->nodes, nodes->n_nodes, sizeof(*nodes->nodes)) < 0)
		return NULL;
	node = &nodes->nodes[nodes->n_nodes++];
	*node = (struct node){ .id = *id };
	return node;
}

void xen_shutdown_nodes_forget_domain(struct xen_shutdown_nodes *nodes, const struct domain_id *id)
{
	struct node *node = find_node(nodes, id);

	if (node)
		*node = nodes->nodes[--nodes->n_nodes];
}

/* ---- reading ------------------------------------------------------------ */

enum content {
	CONTENT_NONE, /* cleared, removed, or any other text than a request to suspend */
	CONTENT_REQUEST,
	CONTENT_UNKNOWN, /* could not be read */
};

/* Reads the node. A missing node is no longer good. */
static enum content read_content(struct xen_shutdown_nodes *nodes, struct node *node)
{
	_cleanup_(freep) char *text =
		xen_store_read_domain(nodes->store, node->id.domid, PROTOCOL_NODE_SHUTDOWN);

	if (text)
		return strcmp(text, PROTOCOL_SHUTDOWN_SUSPEND) == 0 ? CONTENT_REQUEST
								    : CONTENT_NONE;
	node->is_good = false;
	return errno == ENOENT ? CONTENT_NONE : CONTENT_UNKNOWN;
}

/* Whether the node may have changed since it was last read. */
static bool has_changed(const struct xen_shutdown_nodes *nodes, const struct node *node)
{
	uint64_t n = xen_watches_count_request_changes(nodes->watches, node->id.domid);

	/* No change was reported at all: the node is not watched, which reports one at once. */
	return !node->is_known || n == 0 || n != node->n_changes ||
	       xen_watches_is_muted(nodes->watches, node->id.domid);
}

static void note_content(struct node *node, enum content content)
{
	if (content == CONTENT_UNKNOWN)
		return;
	switch (node->stage) {
	case STAGE_IDLE:
	case STAGE_ACKNOWLEDGED:
		if (content == CONTENT_REQUEST)
			node->stage = STAGE_TAKEN;
		break;
	case STAGE_REQUESTED:
		if (content == CONTENT_NONE)
			node->stage = STAGE_ACKNOWLEDGED;
		break;
	case STAGE_TAKEN:
		break;
	}
}

/* Reads the node if it may have changed, and notes what was seen. */
static void look(struct xen_shutdown_nodes *nodes, struct node *node)
{
	uint64_t n = xen_watches_count_request_changes(nodes->watches, node->id.domid);
	enum content content;

	if (!has_changed(nodes, node))
		return;
	content = read_content(nodes, node);
	note_content(node, content);
	node->is_known = content != CONTENT_UNKNOWN;
	node->n_changes = n;
}

/* ---- repair ------------------------------------------------------------- */

/* Makes sure that the node exists and that the guest owns it. */
static void repair(struct xen_shutdown_nodes *nodes, struct node *node)
{
	uint32_t domid = node->id.domid, owner;

	if (node->is_good)
		return;
	node->is_good =
		(xen_store_get_owner(nodes->store, domid, PROTOCOL_NODE_SHUTDOWN, &owner) == 0 &&
		 owner == domid) ||
		xen_store_give(nodes->store, domid, PROTOCOL_NODE_SHUTDOWN) == 0;
}

void xen_shutdown_nodes_prepare(struct xen_shutdown_nodes *nodes, const struct domain_id *id)
{
	struct node *node;

	assert(nodes && id);
	/* Watch before the node is read, so that no change is missed. */
	xen_watches_watch_request(nodes->watches, id->domid);
	node = get_node(nodes, id);
	if (!node)
		return;
	/* An earlier request, of whomever, has ended: the guest is running without one. */
	node->stage = STAGE_IDLE;
	node->has_failed = false;
	look(nodes, node);
	repair(nodes, node);
}

void xen_shutdown_nodes_repair(struct xen_shutdown_nodes *nodes, const struct domain_id *id)
{
	struct node *node;

	assert(nodes && id);
	node = find_node(nodes, id);
	if (!node)
		return;
	look(nodes, node);
	repair(nodes, node);
}

/* ---- requests ----------------------------------------------------------- */

/* Whether xenstored has refused a write. After other errors it may have made the write. */
static bool was_refused(int r)
{
	return r == -ENOSPC || r == -EACCES || r == -ENOENT || r == -EINVAL || r == -ENOMEM ||
	       r == -E2BIG;
}

int xen_shutdown_nodes_request(struct xen_shutdown_nodes *nodes, const struct domain_id *id)
{
	struct node *node;
	int r;

	assert(nodes && id);
	node = get_node(nodes, id);
	if (node) {
		look(nodes, node);
		if (node->stage == STAGE_TAKEN)
			return REQUEST_IS_TAKEN;
		/* Permissions first: a guest may acknowledge the text at once. */
		repair(nodes, node);
		node->stage = STAGE_REQUESTED;
		node->was_good = node->is_good;
	}
	r = xen_store_write_domain(nodes->store, id->domid, PROTOCOL_NODE_SHUTDOWN,
				   PROTOCOL_SHUTDOWN_SUSPEND);
	if (node)
		node->has_failed = was_refused(r);
	return r < 0 ? r : REQUESTED;
}

bool xen_shutdown_nodes_request_failed(const struct xen_shutdown_nodes *nodes,
				       const struct domain_id *id)
{
	const struct node *node = find_node(nodes, id);

	assert(nodes && id);
	return node && node->has_failed;
}

/*
 * Judges a node that has a request although its domain has suspended. If the guest could not
 * acknowledge the request, that proves nothing.
 */
static bool is_proof(struct xen_shutdown_nodes *nodes, const struct domain_id *id,
		     const struct node *node)
{
	uint32_t owner;

	if (node && node->stage == STAGE_REQUESTED)
		return node->was_good;
	return xen_store_get_owner(nodes->store, id->domid, PROTOCOL_NODE_SHUTDOWN, &owner) == 0 &&
	       owner == id->domid;
}

/* Judges a domain that has suspended by what is in its node. `node` may be NULL. */
static enum request_owner judge_content(struct xen_shutdown_nodes *nodes,
					const struct domain_id *id, struct node *node)
{
	struct node unknown = { .id = *id };

	if (read_content(nodes, node ? node : &unknown) != CONTENT_REQUEST)
		return REQUEST_OF_US;
	if (is_proof(nodes, id, node))
		return REQUEST_OF_ANOTHER;
	/* The guest would obey it again. If this fails, it does, and nothing expects it. */
	xen_store_write_domain(nodes->store, id->domid, PROTOCOL_NODE_SHUTDOWN, "");
	return REQUEST_OF_US;
}

enum request_owner xen_shutdown_nodes_get_owner(struct xen_shutdown_nodes *nodes,
						const struct domain_id *id, bool is_suspended)
{
	struct node *node = find_node(nodes, id);
	enum request_owner owner = REQUEST_OF_US;

	assert(nodes && id);
	if (node)
		look(nodes, node);
	if (node && node->stage == STAGE_TAKEN)
		return REQUEST_OF_ANOTHER;
	if (is_suspended && (!node || node->stage != STAGE_ACKNOWLEDGED))
		owner = judge_content(nodes, id, node);
	if (node && owner == REQUEST_OF_ANOTHER)
		node->stage = STAGE_TAKEN;
	return owner;
}

enum request_owner xen_shutdown_nodes_get_owner_of_agent(struct xen_shutdown_nodes *nodes,
							 const struct domain_id *id)
{
	assert(nodes && id);
	return judge_content(nodes, id, NULL);
}
