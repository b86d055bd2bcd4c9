/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/xen-watches.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#include "pmcoord/array.h"
#include "pmcoord/cleanup.h"
#include "pmcoord/parse.h"
#include "pmcoord/protocol.h"
#include "model/hypervisor.h"
#include "xen/xen-store.h"

/*
 * Tokens of watches that concern several domains. The token of a watch on one
 * domain is the domid.
 */
#define TOKEN_DOMAINS "domains"
#define TOKEN_TOOLSTACK "toolstack"
#define TOKEN_SIZE 16

/*
 * The nodes below a domain's own path that an inventory reads if libxl has a
 * record of the domain. The watch with TOKEN_TOOLSTACK reports changes of the
 * record, which is below /libxl.
 */
static const char *const watched_nodes[] = {
	"control", "name", "target", "device/suspend", PROTOCOL_NODES,
};

/*
 * The most changes of one domain between two calls of xen_watches_restart_counts. A guest that
 * boots or takes part in a cycle causes some dozens; a guest can write its nodes without end.
 */
#define CHANGES_MAX 256

/* Nodes that are watched one by one, unless all nodes of all domains are watched. */
enum {
	NODE_AGENT,
	NODE_REQUEST,
	NODES,
};

static const char *const nodes[NODES] = {
	[NODE_AGENT] = PROTOCOL_NODE_STATE,
	[NODE_REQUEST] = PROTOCOL_NODE_SHUTDOWN,
};

struct watched_domain {
	uint32_t domid;
	bool nodes[NODES]; /* which of `nodes` are watched */
	bool is_muted; /* its watches were removed, see xen_watches_next_muted */
	unsigned int n_changes;
	uint64_t n_request_changes; /* see xen_watches_count_request_changes */
	bool ignores_next; /* the next change of the node of requests is that of a new watch */
};

struct xen_watches {
	struct xs_handle *handle;
	bool has_list; /* xen_watches_watch_list has succeeded */
	bool has_all_domains; /* all domains are watched */
	struct watched_domain *domains;
	size_t n_domains;
};

int xen_watches_open(struct xen_watches **ret_watches)
{
	_cleanup_(freep) struct xen_watches *watches = calloc(1, sizeof(*watches));

	assert(ret_watches);
	if (!watches)
		return -ENOMEM;
	watches->handle = xs_open(0);
	if (!watches->handle)
		return -errno;
	*ret_watches = TAKE_PTR(watches);
	return 0;
}

void xen_watches_free(struct xen_watches *watches)
{
	if (!watches)
		return;
	xs_close(watches->handle);
	free(watches->domains);
	free(watches);
}

int xen_watches_fd(const struct xen_watches *watches)
{
	return xs_fileno(watches->handle);
}

/* ---- watching ----------------------------------------------------------- */

static int watch_path(struct xen_watches *watches, const char *path, const char *token)
{
	/* EEXIST: an earlier attempt has set this watch, and not the next one. */
	return xs_watch(watches->handle, path, token) || errno == EEXIST ? 0 : -errno;
}

int xen_watches_watch_list(struct xen_watches *watches)
{
	int r = watch_path(watches, "@introduceDomain", TOKEN_DOMAINS);

	if (r == 0)
		r = watch_path(watches, "@releaseDomain", TOKEN_DOMAINS);
	watches->has_list = r == 0;
	return r;
}

int xen_watches_watch_domains(struct xen_watches *watches)
{
	int r = watches->has_list ? 0 : xen_watches_watch_list(watches);

	watches->has_all_domains = true;
	return r < 0 ? r : watch_path(watches, "/libxl", TOKEN_TOOLSTACK);
}

/* Formats the path and the token of a watch on a domain's node. */
static void format_watch(uint32_t domid, const char *node, char *ret_path, char *ret_token)
{
	xen_store_format_path(domid, node, ret_path);
	snprintf(ret_token, TOKEN_SIZE, "%" PRIu32, domid);
}

static struct watched_domain *find_domain(const struct xen_watches *watches, uint32_t domid)
{
	for (size_t i = 0; i < watches->n_domains; i++)
		if (watches->domains[i].domid == domid)
			return &watches->domains[i];
	return NULL;
}

/* Finds or adds a domain. Returns NULL when out of memory. */
static struct watched_domain *get_domain(struct xen_watches *watches, uint32_t domid)
{
	struct watched_domain *domain = find_domain(watches, domid);

	if (domain)
		return domain;
	if (array_grow(&watches->domains, watches->n_domains, sizeof(*watches->domains)) < 0)
		return NULL;
	domain = &watches->domains[watches->n_domains++];
	*domain = (struct watched_domain){ .domid = domid };
	return domain;
}

bool xen_watches_watch_domain(struct xen_watches *watches, uint32_t domid)
{
	char path[XEN_STORE_PATH_MAX], token[TOKEN_SIZE];
	bool ok = true;

	assert(watches);
	if (!get_domain(watches, domid))
		return false;
	for (size_t i = 0; i < ELEMENTSOF(watched_nodes); i++) {
		format_watch(domid, watched_nodes[i], path, token);
		ok &= watch_path(watches, path, token) == 0;
	}
	return ok;
}

static void remove_watches(struct xen_watches *watches, const struct watched_domain *domain)
{
	char path[XEN_STORE_PATH_MAX], token[TOKEN_SIZE];

	for (size_t i = 0; i < NODES; i++) {
		format_watch(domain->domid, nodes[i], path, token);
		if (domain->nodes[i])
			xs_unwatch(watches->handle, path, token);
	}
	if (!watches->has_all_domains)
		return;
	for (size_t i = 0; i < ELEMENTSOF(watched_nodes); i++) {
		format_watch(domain->domid, watched_nodes[i], path, token);
		xs_unwatch(watches->handle, path, token);
	}
}

void xen_watches_unwatch_domain(struct xen_watches *watches, uint32_t domid)
{
	struct watched_domain *domain;

	assert(watches);
	domain = find_domain(watches, domid);
	if (!domain)
		return;
	if (!domain->is_muted)
		remove_watches(watches, domain);
	*domain = watches->domains[--watches->n_domains];
}

static int watch_node(struct xen_watches *watches, uint32_t domid, size_t node)
{
	struct watched_domain *domain;
	char path[XEN_STORE_PATH_MAX], token[TOKEN_SIZE];
	int r;

	if (watches->has_all_domains)
		return 0;
	domain = get_domain(watches, domid);
	if (!domain)
		return -ENOMEM;
	if (domain->nodes[node] || domain->is_muted)
		return 0;
	format_watch(domid, nodes[node], path, token);
	r = watch_path(watches, path, token);
	domain->nodes[node] = r == 0;
	return r;
}

int xen_watches_watch_agent(struct xen_watches *watches, uint32_t domid)
{
	assert(watches);
	return watch_node(watches, domid, NODE_AGENT);
}

/*
 * Counts the change that xenstored reports for each new watch already now, because it may be
 * read only after the caller has read the node.
 */
int xen_watches_watch_request(struct xen_watches *watches, uint32_t domid)
{
	struct watched_domain *domain;
	int r = watch_node(watches, domid, NODE_REQUEST);

	assert(watches);
	domain = find_domain(watches, domid);
	if (r == 0 && domain && domain->nodes[NODE_REQUEST] && domain->n_request_changes == 0) {
		domain->n_request_changes = 1;
		domain->ignores_next = true;
	}
	return r;
}

/* ---- events ------------------------------------------------------------- */

/* Returns the domid in "/libxl/<domid>/…", a path in libxl's record of a domain. */
static uint32_t domid_of_record(const char *path)
{
	uint32_t domid;

	return sscanf(path, "/libxl/%" SCNu32, &domid) == 1 ? domid : HYPERVISOR_ALL_DOMAINS;
}

/* Returns the domid of the domain that an event is about, or HYPERVISOR_ALL_DOMAINS. */
static uint32_t domid_of_event(char *const *event)
{
	uint64_t domid;

	if (strcmp(event[XS_WATCH_TOKEN], TOKEN_TOOLSTACK) == 0)
		return domid_of_record(event[XS_WATCH_PATH]);
	if (parse_u64(event[XS_WATCH_TOKEN], UINT16_MAX, &domid) == 0)
		return (uint32_t)domid;
	return HYPERVISOR_ALL_DOMAINS;
}

/* Whether a change of `path` can be one of the node of requests: of itself or of its parent. */
static bool is_request_path(const char *path, uint32_t domid)
{
	char request[XEN_STORE_PATH_MAX];
	size_t length = strlen(path);

	xen_store_format_path(domid, PROTOCOL_NODE_SHUTDOWN, request);
	return strncmp(request, path, length) == 0 &&
	       (request[length] == '\0' || request[length] == '/');
}

/* Counts a change of a domain. Removes the watches of a domain that has changed too often. */
static void count_change(struct xen_watches *watches, uint32_t domid, const char *path)
{
	struct watched_domain *domain = find_domain(watches, domid);

	if (domain && is_request_path(path, domid)) {
		domain->n_request_changes += !domain->ignores_next;
		domain->ignores_next = false;
	}
	if (!domain || domain->is_muted || ++domain->n_changes <= CHANGES_MAX)
		return;
	domain->is_muted = true;
	remove_watches(watches, domain);
}

int xen_watches_next(struct xen_watches *watches, uint32_t *ret_domid)
{
	_cleanup_(freep) char **event = xs_check_watch(watches->handle);

	assert(ret_domid);
	if (!event)
		return errno == EAGAIN ? 0 : -errno;
	*ret_domid = domid_of_event(event);
	/* The toolstack writes its records itself: they are no guest's doing. */
	if (strcmp(event[XS_WATCH_TOKEN], TOKEN_TOOLSTACK) != 0)
		count_change(watches, *ret_domid, event[XS_WATCH_PATH]);
	return 1;
}

void xen_watches_restart_counts(struct xen_watches *watches)
{
	assert(watches);
	for (size_t i = 0; i < watches->n_domains; i++)
		watches->domains[i].n_changes = 0;
}

uint64_t xen_watches_count_request_changes(const struct xen_watches *watches, uint32_t domid)
{
	const struct watched_domain *domain = find_domain(watches, domid);

	return domain ? domain->n_request_changes : 0;
}

bool xen_watches_is_muted(const struct xen_watches *watches, uint32_t domid)
{
	const struct watched_domain *domain = find_domain(watches, domid);

	return domain && domain->is_muted;
}

bool xen_watches_next_muted(const struct xen_watches *watches, size_t *index, uint32_t *ret_domid)
{
	assert(watches && index && ret_domid);
	while (*index < watches->n_domains) {
		const struct watched_domain *domain = &watches->domains[(*index)++];

		if (!domain->is_muted)
			continue;
		*ret_domid = domain->domid;
		return true;
	}
	return false;
}
