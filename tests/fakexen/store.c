/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fakexen/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakexen/observer.h"
#include "tests/fakexen/virtual-time.h"

#define PATH_SIZE 4096
#define WATCHES_MAX 128
#define TRANSACTIONS_MAX 10

enum operation {
	OPERATION_WRITE,
	OPERATION_MKDIR,
	OPERATION_REMOVE,
	OPERATION_PERMISSIONS,
};

/* A change, which a transaction repeats at its end. */
struct change {
	enum operation operation;
	char *path;
	char *data;
	size_t length; /* of `data`, or the number of `permissions` */
	struct xs_permissions permissions[STORE_TREE_PERMISSIONS_MAX];
};

struct access {
	char *path;
	uint64_t generation; /* at the begin of the transaction; 0: there was no such node */
};

struct transaction {
	xs_transaction_t id;
	struct store_tree before; /* as it was at the begin */
	struct store_tree tree; /* with the changes of the transaction */
	struct change *changes;
	size_t n_changes;
	struct access *accesses;
	size_t n_accesses;
	struct transaction *next;
};

struct watch {
	struct store_connection *connection;
	char *path; /* absolute */
	size_t relative_offset; /* what to leave out of the paths of events */
	char *token;
	struct watch *next;
};

struct store_connection {
	uint32_t domid;
	store_event_fn on_event;
	void *data;
	struct transaction *transactions;
	struct store_connection *next;
};

struct introduced_domain {
	uint32_t domid;
	bool is_shut_down; /* announced */
	uint64_t resumed_us; /* when store_resume_domain was called last; 0: never */
	struct introduced_domain *next;
};

static struct {
	struct introduced_domain *domains;
	struct store_tree tree;
	uint64_t generation;
	xs_transaction_t last_transaction;
	struct store_connection *connections;
	struct watch *watches; /* in the order in which they were set */
} store;

static void *require(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void forget_domain(struct introduced_domain **place)
{
	struct introduced_domain *domain = *place;

	*place = domain->next;
	free(domain);
}

void store_start(void)
{
	store_stop();
	store_tree_init(&store.tree, &store.generation);
}

void store_stop(void)
{
	while (store.connections)
		store_disconnect(store.connections);
	while (store.domains)
		forget_domain(&store.domains);
	store_tree_done(&store.tree);
	store = (typeof(store)){ 0 };
}

const struct store_tree *store_tree(void)
{
	return &store.tree;
}

/* ---- paths -------------------------------------------------------------- */

/* Writes the absolute path to `ret` (PATH_SIZE bytes). Returns 0 or -EINVAL. */
static int make_absolute(uint32_t domid, const char *path, char *ret)
{
	int n = path[0] == '/' || path[0] == '@'
			? snprintf(ret, PATH_SIZE, "%s", path)
			: snprintf(ret, PATH_SIZE, "/local/domain/%u/%s", domid, path);

	if (n >= PATH_SIZE)
		return -EINVAL;
	return ret[0] == '@' || store_tree_is_valid_path(ret) ? 0 : -EINVAL;
}

static bool is_at_or_below(const char *path, const char *top)
{
	size_t length = strlen(top);

	if (strcmp(top, "/") == 0)
		return path[0] == '/';
	return strncmp(path, top, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* ---- watches ------------------------------------------------------------ */

static bool may_see(const struct watch *watch, const char *path)
{
	const struct store_node *node;

	if (watch->connection->domid == 0)
		return true;
	/* A removed node is seen by all who could read where it was. */
	return store_tree_read(&store.tree, watch->connection->domid, path, &node) != -EACCES;
}

static void fire_one(const struct watch *watch, const char *path)
{
	size_t offset = strlen(path) >= watch->relative_offset ? watch->relative_offset : 0;

	if (may_see(watch, path))
		watch->connection->on_event(watch->connection->data, path + offset, watch->token);
}

/*
 * Fires the watches at or above a changed path and, if the node was removed, those below it,
 * which get their own path.
 */
static void fire(const char *path, bool removed)
{
	for (struct watch *watch = store.watches; watch; watch = watch->next)
		if (is_at_or_below(path, watch->path))
			fire_one(watch, path);
		else if (removed && is_at_or_below(watch->path, path))
			fire_one(watch, watch->path);
}

static void fire_special(const char *name)
{
	for (struct watch *watch = store.watches; watch; watch = watch->next)
		if (strcmp(watch->path, name) == 0)
			watch->connection->on_event(watch->connection->data, name, watch->token);
}

static size_t count_watches(const struct store_connection *connection)
{
	size_t n = 0;

	for (const struct watch *watch = store.watches; watch; watch = watch->next)
		n += watch->connection == connection;
	return n;
}

static struct watch **find_watch(struct store_connection *connection, const char *path,
				 const char *token)
{
	struct watch **place = &store.watches;

	while (*place && ((*place)->connection != connection || strcmp((*place)->path, path) != 0 ||
			  (token && strcmp((*place)->token, token) != 0)))
		place = &(*place)->next;
	return place;
}

int store_watch(struct store_connection *connection, const char *path, const char *token)
{
	char absolute[PATH_SIZE];
	struct watch *watch, **place;
	int r = make_absolute(connection->domid, path, absolute);

	if (r < 0)
		return r;
	if (absolute[0] == '@' && connection->domid != 0)
		return -EACCES;
	place = find_watch(connection, absolute, token);
	if (*place)
		return -EEXIST;
	if (connection->domid != 0 && count_watches(connection) >= WATCHES_MAX)
		return -E2BIG;
	watch = require(calloc(1, sizeof(*watch)));
	watch->connection = connection;
	watch->path = require(strdup(absolute));
	watch->token = require(strdup(token));
	watch->relative_offset = strlen(absolute) - strlen(path);
	*place = watch;
	connection->on_event(connection->data, path, token);
	return 0;
}

static void remove_watch(struct watch **place)
{
	struct watch *watch = *place;

	*place = watch->next;
	free(watch->path);
	free(watch->token);
	free(watch);
}

int store_unwatch(struct store_connection *connection, const char *path, const char *token)
{
	char absolute[PATH_SIZE];
	struct watch **place;
	int r = make_absolute(connection->domid, path, absolute);

	if (r < 0)
		return r;
	place = find_watch(connection, absolute, token);
	if (!*place)
		return -ENOENT;
	remove_watch(place);
	return 0;
}

/* ---- changes ------------------------------------------------------------ */

static int apply(struct store_tree *tree, uint32_t domid, const struct change *change)
{
	switch (change->operation) {
	case OPERATION_WRITE:
		return store_tree_write(tree, domid, change->path, change->data, change->length);
	case OPERATION_MKDIR:
		return store_tree_mkdir(tree, domid, change->path);
	case OPERATION_REMOVE:
		return store_tree_remove(tree, domid, change->path);
	case OPERATION_PERMISSIONS:
		return store_tree_set_permissions(tree, domid, change->path, change->permissions,
						  change->length);
	}
	return -EINVAL;
}

/* A copy of the text; NULL: there is no such node. */
static char *copy_text(const char *path)
{
	const char *text = store_text(path);

	return text ? require(strdup(text)) : NULL;
}

/* Reports a node of a domain whose text was `before`, unless it still is. */
static void report_node(const char *path, const char *before)
{
	struct observed observed = { .type = OBSERVED_NODE, .before = before };
	int offset = 0;

	observed.after = store_text(path);
	if (sscanf(path, "/local/domain/%" SCNu32 "/%n", &observed.domid, &offset) != 1 ||
	    offset == 0 || (before && observed.after && strcmp(before, observed.after) == 0))
		return;
	observed.node = path + offset;
	observer_report(&observed);
}

/* Makes a change in the tree itself, and fires the watches unless nothing has changed. */
static int apply_and_fire(uint32_t domid, const struct change *change)
{
	uint64_t before = store.generation;
	char *text = copy_text(change->path);
	int r = apply(&store.tree, domid, change);

	report_node(change->path, text);
	free(text);
	if (r == 0 && store.generation != before)
		fire(change->path, change->operation == OPERATION_REMOVE);
	return r;
}

static void done_change(struct change *change)
{
	free(change->path);
	free(change->data);
}

static void keep_change(struct transaction *transaction, const struct change *change)
{
	struct change *copy;

	transaction->changes = require(reallocarray(
		transaction->changes, transaction->n_changes + 1, sizeof(*transaction->changes)));
	copy = &transaction->changes[transaction->n_changes++];
	*copy = *change;
	copy->path = require(strdup(change->path));
	copy->data = NULL;
	if (change->data) {
		copy->data = require(malloc(change->length + 1));
		memcpy(copy->data, change->data, change->length);
	}
}

/* ---- transactions ------------------------------------------------------- */

static struct transaction **find_transaction(struct store_connection *connection,
					     xs_transaction_t id)
{
	struct transaction **place = &connection->transactions;

	while (*place && (*place)->id != id)
		place = &(*place)->next;
	return place;
}

static uint64_t generation_of(const struct store_tree *tree, const char *path)
{
	const struct store_node *node = store_tree_find(tree, path);

	/* The generation of a node that was never changed is 0, too. */
	return node ? node->generation + 1 : 0;
}

static void keep_access(struct transaction *transaction, const char *path)
{
	for (size_t i = 0; i < transaction->n_accesses; i++)
		if (strcmp(transaction->accesses[i].path, path) == 0)
			return;
	transaction->accesses =
		require(reallocarray(transaction->accesses, transaction->n_accesses + 1,
				     sizeof(*transaction->accesses)));
	transaction->accesses[transaction->n_accesses++] = (struct access){
		.path = require(strdup(path)),
		.generation = generation_of(&transaction->before, path),
	};
}

/* A node that is created or removed changes its parent's list of children. */
static void keep_accesses_of_change(struct transaction *transaction, const char *path)
{
	char parent[PATH_SIZE];
	bool existed;

	keep_access(transaction, path);
	existed = store_tree_find(&transaction->before, path) != NULL;
	snprintf(parent, sizeof(parent), "%s", path);
	while (!existed && strrchr(parent, '/') > parent) {
		*strrchr(parent, '/') = '\0';
		keep_access(transaction, parent);
		existed = store_tree_find(&transaction->before, parent) != NULL;
	}
}

int store_begin(struct store_connection *connection, xs_transaction_t *ret_transaction)
{
	struct transaction *transaction;
	size_t n = 0;

	for (transaction = connection->transactions; transaction; transaction = transaction->next)
		n++;
	if (connection->domid != 0 && n >= TRANSACTIONS_MAX)
		return -ENOSPC;
	transaction = require(calloc(1, sizeof(*transaction)));
	transaction->id = ++store.last_transaction;
	store_tree_copy(&store.tree, &transaction->before);
	store_tree_copy(&store.tree, &transaction->tree);
	transaction->next = connection->transactions;
	connection->transactions = transaction;
	*ret_transaction = transaction->id;
	return 0;
}

static void free_transaction(struct transaction *transaction)
{
	store_tree_done(&transaction->before);
	store_tree_done(&transaction->tree);
	for (size_t i = 0; i < transaction->n_changes; i++)
		done_change(&transaction->changes[i]);
	for (size_t i = 0; i < transaction->n_accesses; i++)
		free(transaction->accesses[i].path);
	free(transaction->changes);
	free(transaction->accesses);
	free(transaction);
}

static bool conflicts(const struct transaction *transaction)
{
	for (size_t i = 0; i < transaction->n_accesses; i++)
		if (generation_of(&store.tree, transaction->accesses[i].path) !=
		    transaction->accesses[i].generation)
			return true;
	return false;
}

int store_end(struct store_connection *connection, xs_transaction_t id, bool commit)
{
	struct transaction **place = find_transaction(connection, id);
	struct transaction *transaction = *place;
	int r = 0;

	if (!transaction)
		return -ENOENT;
	*place = transaction->next;
	if (commit && conflicts(transaction))
		r = -EAGAIN;
	for (size_t i = 0; commit && r == 0 && i < transaction->n_changes; i++)
		apply_and_fire(connection->domid, &transaction->changes[i]);
	free_transaction(transaction);
	return r;
}

/* ---- requests ----------------------------------------------------------- */

int store_read(struct store_connection *connection, xs_transaction_t id, const char *path,
	       const struct store_node **ret_node)
{
	struct transaction *transaction = *find_transaction(connection, id);
	char absolute[PATH_SIZE];
	int r = make_absolute(connection->domid, path, absolute);

	if (r < 0 || absolute[0] == '@')
		return -EINVAL;
	if (id != XBT_NULL && !transaction)
		return -ENOENT;
	if (transaction)
		keep_access(transaction, absolute);
	return store_tree_read(transaction ? &transaction->tree : &store.tree, connection->domid,
			       absolute, ret_node);
}

static int change_store(struct store_connection *connection, xs_transaction_t id, const char *path,
			struct change change)
{
	struct transaction *transaction = *find_transaction(connection, id);
	char absolute[PATH_SIZE];
	int r = make_absolute(connection->domid, path, absolute);

	if (r < 0 || absolute[0] == '@')
		return -EINVAL;
	if (id != XBT_NULL && !transaction)
		return -ENOENT;
	change.path = absolute;
	if (id == XBT_NULL)
		return apply_and_fire(connection->domid, &change);
	r = apply(&transaction->tree, connection->domid, &change);
	keep_accesses_of_change(transaction, absolute);
	if (r == 0)
		keep_change(transaction, &change);
	return r;
}

int store_write(struct store_connection *connection, xs_transaction_t id, const char *path,
		const void *data, size_t length)
{
	struct change change = {
		.operation = OPERATION_WRITE,
		.data = (char *)(uintptr_t)data,
		.length = length,
	};

	return change_store(connection, id, path, change);
}

int store_mkdir(struct store_connection *connection, xs_transaction_t id, const char *path)
{
	struct change change = { .operation = OPERATION_MKDIR };

	return change_store(connection, id, path, change);
}

int store_remove(struct store_connection *connection, xs_transaction_t id, const char *path)
{
	struct change change = { .operation = OPERATION_REMOVE };

	return change_store(connection, id, path, change);
}

int store_set_permissions(struct store_connection *connection, xs_transaction_t id,
			  const char *path, const struct xs_permissions *permissions, size_t n)
{
	struct change change = { .operation = OPERATION_PERMISSIONS, .length = n };

	if (n > STORE_TREE_PERMISSIONS_MAX)
		return -EINVAL;
	memcpy(change.permissions, permissions, n * sizeof(*permissions));
	return change_store(connection, id, path, change);
}

/* ---- connections -------------------------------------------------------- */

struct store_connection *store_connect(uint32_t domid, store_event_fn on_event, void *data)
{
	struct store_connection *connection = require(calloc(1, sizeof(*connection)));

	*connection = (struct store_connection){
		.domid = domid,
		.on_event = on_event,
		.data = data,
		.next = store.connections,
	};
	store.connections = connection;
	return connection;
}

static void release_connection(struct store_connection *connection)
{
	for (struct watch **place = &store.watches; *place;)
		if ((*place)->connection == connection)
			remove_watch(place);
		else
			place = &(*place)->next;
	while (connection->transactions) {
		struct transaction *transaction = connection->transactions;

		connection->transactions = transaction->next;
		free_transaction(transaction);
	}
}

void store_disconnect(struct store_connection *connection)
{
	struct store_connection **place = &store.connections;

	release_connection(connection);
	while (*place && *place != connection)
		place = &(*place)->next;
	if (*place)
		*place = connection->next;
	free(connection);
}

/* The connections of a domain that has ended. */
static void drop_domain(uint32_t domid)
{
	for (struct store_connection *connection = store.connections; connection;
	     connection = connection->next)
		if (connection->domid == domid)
			release_connection(connection);
}

/* ---- domains ------------------------------------------------------------ */

void store_introduce_domain(uint32_t domid)
{
	struct introduced_domain *domain = require(calloc(1, sizeof(*domain)));

	domain->domid = domid;
	domain->next = store.domains;
	store.domains = domain;
	fire_special(STORE_INTRODUCE);
}

static struct introduced_domain *find_domain(uint32_t domid)
{
	struct introduced_domain *domain = store.domains;

	while (domain && domain->domid != domid)
		domain = domain->next;
	return domain;
}

int store_resume_domain(uint32_t domid)
{
	struct introduced_domain *domain = find_domain(domid);

	if (!domain)
		return -ENOENT;
	domain->is_shut_down = false;
	domain->resumed_us = virtual_time_now();
	return 0;
}

uint64_t store_resumed_us(uint32_t domid)
{
	const struct introduced_domain *domain = find_domain(domid);

	return domain ? domain->resumed_us : 0;
}

void store_check_domains(enum store_domain_state (*get_state)(uint32_t domid))
{
	bool announce = false;

	for (struct introduced_domain **place = &store.domains; *place;) {
		struct introduced_domain *domain = *place;
		enum store_domain_state state = get_state(domain->domid);

		if (state == STORE_DOMAIN_IS_GONE) {
			drop_domain(domain->domid);
			forget_domain(place);
			announce = true;
			continue;
		}
		announce |= state == STORE_DOMAIN_IS_SHUT_DOWN && !domain->is_shut_down;
		domain->is_shut_down |= state == STORE_DOMAIN_IS_SHUT_DOWN;
		place = &domain->next;
	}
	if (announce)
		fire_special(STORE_RELEASE);
}

/* ---- in one call -------------------------------------------------------- */

static void ignore_event(void *data, const char *path, const char *token)
{
	(void)data;
	(void)path;
	(void)token;
}

int store_write_as(uint32_t domid, const char *path, const char *text)
{
	struct store_connection *connection = store_connect(domid, ignore_event, NULL);
	int r = store_write(connection, XBT_NULL, path, text, strlen(text));

	store_disconnect(connection);
	return r;
}

int store_remove_as(uint32_t domid, const char *path)
{
	struct store_connection *connection = store_connect(domid, ignore_event, NULL);
	int r = store_remove(connection, XBT_NULL, path);

	store_disconnect(connection);
	return r;
}

void store_own(const char *path, uint32_t owner, unsigned int others, uint32_t reader)
{
	struct xs_permissions permissions[] = {
		{ .id = owner, .perms = others },
		{ .id = reader, .perms = XS_PERM_READ },
	};
	struct change change = {
		.operation = OPERATION_PERMISSIONS,
		.path = (char *)(uintptr_t)path,
		.length = reader ? 2 : 1,
	};

	memcpy(change.permissions, permissions, sizeof(permissions));
	apply_and_fire(0, &change);
}

const char *store_text(const char *path)
{
	const struct store_node *node = store_tree_find(&store.tree, path);

	return node ? node->value : NULL;
}
