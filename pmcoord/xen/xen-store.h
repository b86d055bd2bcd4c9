/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PMCOORD_XEN_XEN_STORE_H
#define PMCOORD_XEN_XEN_STORE_H

/*
 * Xenstore: reads, writes and transactions, most of them relative to a domain's
 * own path. Watches use another connection (xen-watches.h): on a connection
 * with watches, libxenstore reads replies in a thread, which delays every reply.
 *
 * What a guest has written is untrusted. Strings are returned unchanged, and
 * the caller must check them. Lists are limited in length. The caller frees
 * strings and lists. Unless described otherwise, a function waits for one reply
 * of xenstored, and returns 0 or a negative errno.
 */

#include <stdbool.h>
#include <stdint.h>

/* An open connection to xenstored. */
struct xen_store;

/* Size in bytes of the longest path that is read or written, with its NUL. */
#define XEN_STORE_PATH_MAX 256

/*
 * Whether a xenstored process listens on its socket. Without such a process,
 * and without a xenstore domain, xen_store_open would wait forever.
 */
bool xen_store_daemon_listens(void);

int xen_store_open(struct xen_store **ret_store);
void xen_store_free(struct xen_store *store);

/* Writes "/local/domain/<domid>/<node>" to `ret` (XEN_STORE_PATH_MAX bytes). */
void xen_store_format_path(uint32_t domid, const char *node, char *ret);

/*
 * Reads a node as a string that ends at the first NUL. Returns NULL with errno
 * set on failure: ENOENT if there is no such node.
 */
char *xen_store_read(struct xen_store *store, const char *path);
/* Does what xen_store_read does, for a node below a domain's path. */
char *xen_store_read_domain(struct xen_store *store, uint32_t domid, const char *node);

/*
 * Reads a number from a domain's node. Returns `fallback` if there is no such
 * node, if it contains no number, or if the number is above `max`.
 */
uint64_t xen_store_read_number(struct xen_store *store, uint32_t domid, const char *node,
			       uint64_t max, uint64_t fallback);

/*
 * Returns the names of at most 256 nodes below a path, in one allocation.
 * *ret_n is their number. Returns NULL with *ret_n 0 if the path cannot be read.
 */
char **xen_store_list(struct xen_store *store, const char *path, unsigned int *ret_n);

/* Writes a node of a domain; an existing node keeps its permissions. */
int xen_store_write_domain(struct xen_store *store, uint32_t domid, const char *node,
			   const char *text);

/*
 * Writes a node that dom0 owns and that this domain, but no other guest, can
 * read. Waits for three replies.
 */
int xen_store_publish(struct xen_store *store, uint32_t domid, const char *node, const char *text);

/*
 * Makes a node, if it is missing, one that this domain owns and no other guest can access. Does
 * not change its text. Waits for two replies.
 */
int xen_store_give(struct xen_store *store, uint32_t domid, const char *node);

/* Reads which domain owns a node. Returns -ENOENT if there is no such node. */
int xen_store_get_owner(struct xen_store *store, uint32_t domid, const char *node,
			uint32_t *ret_owner);

/* Begins a transaction, which xen_store_end ends. */
int xen_store_begin(struct xen_store *store, uint32_t *ret_transaction);
/* Does what xen_store_read_domain does, within a transaction. */
char *xen_store_read_within(struct xen_store *store, uint32_t transaction, uint32_t domid,
			    const char *node);
/* Does what xen_store_write_domain does, within a transaction. */
int xen_store_write_within(struct xen_store *store, uint32_t transaction, uint32_t domid,
			   const char *node, const char *text);
/*
 * Ends a transaction, and commits or discards its writes. Returns -EAGAIN if a
 * node that the transaction has read was changed meanwhile. The caller then
 * begins another transaction.
 */
int xen_store_end(struct xen_store *store, uint32_t transaction, bool commit);

/*
 * Reports to xenstored that a suspended domain runs again. Otherwise xenstored
 * would not announce the domain's next shutdown.
 */
int xen_store_resume_domain(struct xen_store *store, uint32_t domid);

#endif
