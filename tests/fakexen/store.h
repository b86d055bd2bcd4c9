/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FAKEXEN_STORE_H
#define TESTS_FAKEXEN_STORE_H

/*
 * xenstored: the tree (store-tree.h), transactions and watches. store-client.c has the functions
 * of libxenstore, which use it. What it claims about xenstored:
 *
 * - A transaction sees the tree as it was at its begin, with its own changes. Its end fails with
 *   EAGAIN, and nothing is changed, if a node that it has accessed, or the parent of one that it
 *   has created or removed, was changed meanwhile. Watches fire at the end.
 * - A watch fires once when it is set, whether the node exists or not. It fires for changes of
 *   the node and of all below it, and when a parent is removed. Events are not merged.
 * - A guest gets no event for a node that it cannot read.
 * - @introduceDomain and @releaseDomain are watched by dom0 alone.
 * - A guest has at most 128 watches (E2BIG) and 10 transactions (ENOSPC).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fakexen/store-tree.h"

#define STORE_INTRODUCE "@introduceDomain"
#define STORE_RELEASE "@releaseDomain"

/* A connection of a program: its domain, its transactions and its watches. */
struct store_connection;

void store_start(void);
void store_stop(void);

/* The tree, for what tests look at. */
const struct store_tree *store_tree(void);

/* ---- connections -------------------------------------------------------- */

/*
 * Called when a watch of the connection fires, with the path as the watcher gave it: relative
 * paths stay relative. It must not change the store; it may add a handler of virtual time.
 */
typedef void (*store_event_fn)(void *data, const char *path, const char *token);

struct store_connection *store_connect(uint32_t domid, store_event_fn on_event, void *data);
void store_disconnect(struct store_connection *connection);

/*
 * The requests of a connection. `transaction` is one of store_begin, or XBT_NULL. Return 0 or a
 * negative errno: -ENOENT for an unknown transaction.
 */
int store_read(struct store_connection *connection, xs_transaction_t transaction, const char *path,
	       const struct store_node **ret_node);
int store_write(struct store_connection *connection, xs_transaction_t transaction, const char *path,
		const void *data, size_t length);
int store_mkdir(struct store_connection *connection, xs_transaction_t transaction,
		const char *path);
int store_remove(struct store_connection *connection, xs_transaction_t transaction,
		 const char *path);
int store_set_permissions(struct store_connection *connection, xs_transaction_t transaction,
			  const char *path, const struct xs_permissions *permissions, size_t n);
int store_watch(struct store_connection *connection, const char *path, const char *token);
int store_unwatch(struct store_connection *connection, const char *path, const char *token);
int store_begin(struct store_connection *connection, xs_transaction_t *ret_transaction);
int store_end(struct store_connection *connection, xs_transaction_t transaction, bool commit);

/* ---- domains ------------------------------------------------------------ */

/*
 * What xenstored knows of domains. When Xen reports that some domain has shut down or has ended,
 * xenstored reads the states of all. It announces @releaseDomain if one has newly shut down or
 * ended; a shutdown that it has seen is not announced again before store_resume_domain.
 */
void store_introduce_domain(uint32_t domid);
int store_resume_domain(uint32_t domid);
/* When store_resume_domain was called last for the domain; 0: never. */
uint64_t store_resumed_us(uint32_t domid);
/* For each introduced domain: what Xen says of it. */
enum store_domain_state { STORE_DOMAIN_RUNS, STORE_DOMAIN_IS_SHUT_DOWN, STORE_DOMAIN_IS_GONE };
void store_check_domains(enum store_domain_state (*get_state)(uint32_t domid));

/* ---- what other programs do, in one call -------------------------------- */

/* As domain `domid`; a path without a leading '/' is relative to the domain's own. */
int store_write_as(uint32_t domid, const char *path, const char *text);
int store_remove_as(uint32_t domid, const char *path);
/* Sets the owner, what others may do, and what one domain may do (`reader` 0: nobody). */
void store_own(const char *path, uint32_t owner, unsigned int others, uint32_t reader);
/* The text of a node, borrowed until the tree changes; NULL: there is no such node. */
const char *store_text(const char *path);

#endif
