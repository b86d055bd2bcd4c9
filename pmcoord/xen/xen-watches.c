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

struct watched_domain {
	uint32_t domid;
	bool only_agent; /* watched by xen_watches_watch_agent */
	bool is_muted; /* its watches were removed, see xen_watches_next_muted */
	unsigned int n_changes;
};

struct xen_watches {
	struct xs_handle *handle;
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
	return xs_watch(watches->handle, path, token) ? 0 : -errno;
}

int xen_watches_watch_releases(struct xen_watches *watches)
{
	return watch_path(watches, "@releaseDomain", TOKEN_DOMAINS);
}

int xen_watches_watch_domains(struct xen_watches *watches)
{
	int r;

	watches->has_all_domains = true;
	r = watch_path(watches, "@introduceDomain", TOKEN_DOMAINS);
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

static int add_domain(struct xen_watches *watches, uint32_t domid, bool only_agent)
{
	if (array_grow(&watches->domains, watches->n_domains, sizeof(*watches->domains)) < 0)
		return -ENOMEM;
	watches->domains[watches->n_domains++] = (struct watched_domain){
		.domid = domid,
		.only_agent = only_agent,
	};
	return 0;
}

bool xen_watches_watch_domain(struct xen_watches *watches, uint32_t domid)
{
	char path[XEN_STORE_PATH_MAX], token[TOKEN_SIZE];
	bool ok = true;

	assert(watches);
	if (!find_domain(watches, domid) && add_domain(watches, domid, false) < 0)
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

	if (domain->only_agent) {
		format_watch(domain->domid, PROTOCOL_NODE_STATE, path, token);
		xs_unwatch(watches->handle, path, token);
		return;
	}
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

int xen_watches_watch_agent(struct xen_watches *watches, uint32_t domid)
{
	char path[XEN_STORE_PATH_MAX], token[TOKEN_SIZE];
	int r;

	if (watches->has_all_domains || find_domain(watches, domid))
		return 0;
	format_watch(domid, PROTOCOL_NODE_STATE, path, token);
	r = watch_path(watches, path, token);
	if (r == 0)
		r = add_domain(watches, domid, true);
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

/* Counts a change of a domain. Removes the watches of a domain that has changed too often. */
static void count_change(struct xen_watches *watches, uint32_t domid)
{
	struct watched_domain *domain = find_domain(watches, domid);

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
		count_change(watches, *ret_domid);
	return 1;
}

void xen_watches_restart_counts(struct xen_watches *watches)
{
	assert(watches);
	for (size_t i = 0; i < watches->n_domains; i++)
		watches->domains[i].n_changes = 0;
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
